import { request } from "undici";
import type { Configuration } from "./configuration.ts";

/** An answer of Consul that isn't success; worded as Consul's own API client words it. */
export class ConsulError extends Error {
  override name = "ConsulError";
  readonly status: number;

  constructor(status: number, text: string) {
    super(`Unexpected response code: ${status} (${text.trim()})`);
    this.status = status;
  }
}

type Query = Record<string, string | undefined>;

/** Consul's HTTP API (https://developer.hashicorp.com/consul/api-docs), with the provider's token and datacenter. */
export class ConsulClient {
  readonly #config: Configuration;

  constructor(config: Configuration) {
    this.#config = config;
  }

  async get<T>(path: string, query: Query = {}): Promise<T | undefined> {
    const text = await this.#send("GET", path, query);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async put<T>(path: string, body: unknown, query: Query = {}): Promise<T> {
    const text = await this.#send("PUT", path, query, typeof body === "string" ? body : JSON.stringify(body));
    if (text === undefined) {
      throw new ConsulError(404, `${path} does not exist`);
    }
    return JSON.parse(text || "null") as T;
  }

  async delete(path: string, query: Query = {}): Promise<void> {
    await this.#send("DELETE", path, query);
  }

  /** The body; `undefined` where Consul knows no such thing. */
  async #send(method: "GET" | "PUT" | "DELETE", path: string, query: Query, body?: string) {
    const { scheme, address, token, datacenter } = this.#config;
    const url = new URL(path, `${scheme}://${address}`);
    for (const [name, value] of Object.entries({ dc: datacenter, ...query })) {
      if (value !== undefined) {
        url.searchParams.set(name, value);
      }
    }
    const response = await request(url, {
      method,
      body,
      headers: token ? { "x-consul-token": token } : {},
    }).catch((error: Error) => {
      throw new Error(`Consul does not answer at ${address}: ${error.message}. Is its agent running?`);
    });
    const text = await response.body.text();
    if (response.statusCode === 404 || isMissingToken(response.statusCode, text)) {
      return undefined;
    }
    if (response.statusCode >= 300) {
      throw new ConsulError(response.statusCode, text);
    }
    return text;
  }
}

/** Consul answers 403 where the token that is asked for, not the one that asks, does not exist. */
function isMissingToken(status: number, text: string): boolean {
  return status === 403 && text.startsWith("token does not exist");
}

/** A key as a path: its slashes stay, everything else that means something in a URL is escaped. */
export function pathOf(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}
