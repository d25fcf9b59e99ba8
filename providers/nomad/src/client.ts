import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";

/** Nomad's answer when it isn't success. */
export class NomadError extends Error {
  override name = "NomadError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Nothing answers at the address. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

export interface ClientSettings {
  /** Such as `http://127.0.0.1:4646`. */
  address: string;
  token?: string;
  region?: string;
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  signal?: AbortSignal;
}

/** An answer and the index to wait from with a blocking query. */
export interface Answer<T> {
  body: T;
  index: number;
}

/** How long an agent that has just been started may take to answer and to elect its leader. */
const patienceMs = 10_000;
const retryMs = 100;

/** Nomad ends a blocking query by itself, so that the connection needs no limits of its own. */
const dispatcher = new Agent({ connect: { timeout: 5000 }, headersTimeout: 0, bodyTimeout: 0 });

/** Nomad's HTTP API (https://developer.hashicorp.com/nomad/api-docs). Errors never hold the token. */
export class NomadClient {
  readonly #settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  /** The body of a JSON answer. */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.answer<T>(path, options)).body;
  }

  /** The body of a JSON answer, or `undefined` where Nomad knows no such thing. */
  async find<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
    try {
      return await this.json<T>(path, options);
    } catch (error) {
      if (error instanceof NomadError && error.status === 404) {
        return undefined;
      }
      throw error;
    }
  }

  /** Deletes what is there. Of several things Nomad calls it an error, with its own words for each, when they are not. */
  async remove(path: string): Promise<void> {
    if ((await this.find(path)) !== undefined) {
      await this.find(path, { method: "DELETE" });
    }
  }

  async answer<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const { text, index } = await this.#patiently(path, options);
    return { body: (text === "" ? undefined : JSON.parse(text)) as T, index };
  }

  async text(path: string, options: RequestOptions = {}): Promise<string> {
    return (await this.#patiently(path, options)).text;
  }

  /** Asks again while the request can't have been carried out, because the agent is only starting. */
  async #patiently(path: string, options: RequestOptions): Promise<{ text: string; index: number }> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      try {
        return await this.#send(path, options);
      } catch (error) {
        if (options.signal?.aborted || !isStarting(error as Error) || Date.now() > deadline) {
          throw error;
        }
        await delay(retryMs, undefined, { signal: options.signal });
      }
    }
  }

  async #send(path: string, options: RequestOptions): Promise<{ text: string; index: number }> {
    const { address, token, region } = this.#settings;
    const url = new URL(path, address);
    for (const [name, value] of Object.entries({ region, ...options.query })) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    let status: number;
    let text: string;
    let index: number;
    try {
      const response = await request(url, {
        method: options.method ?? "GET",
        dispatcher,
        headers: { ...(token ? { "x-nomad-token": token } : {}), "content-type": "application/json" },
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: options.signal,
      });
      status = response.statusCode;
      text = await response.body.text();
      index = Number(response.headers["x-nomad-index"] ?? 0);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new UnreachableError(
        `Nomad does not answer at ${address} (${causeOf(error as Error)}). Is its agent running? \`lab up\` starts it.`,
        { cause: error },
      );
    }
    if (status >= 300) {
      throw new NomadError(status, explain(status, text.trim(), url));
    }
    return { text, index };
  }
}

/** A name as one step of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

function isStarting(error: Error): boolean {
  if (error instanceof UnreachableError) {
    return ["ECONNREFUSED", "UND_ERR_CONNECT_TIMEOUT"].includes(
      (error.cause as { code?: string }).code ?? "",
    );
  }
  return error instanceof NomadError && error.status === 500 && /No cluster leader/i.test(error.message);
}

function causeOf(error: Error & { code?: string }): string {
  return error.message || error.code || error.name;
}

function explain(status: number, text: string, url: URL): string {
  if (status === 403) {
    return `Nomad refused ${url.pathname}: ${text}. The provider's token lacks the permission, or is not of this cluster.`;
  }
  return `Nomad answered ${status} to ${url.pathname}: ${text}`;
}
