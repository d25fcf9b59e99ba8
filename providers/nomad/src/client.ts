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

export interface ClientSettings {
  /** Such as `http://127.0.0.1:4646`. */
  address: string;
  token?: string;
  region?: string;
}

export interface RequestOptions {
  method?: "GET" | "POST" | "DELETE";
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  signal?: AbortSignal;
  /** Keep trying for so long while nothing listens there, because the agent may just be starting. */
  connectWithinMs?: number;
}

/** An answer and the index to wait from with a blocking query. */
export interface Answer<T> {
  body: T;
  index: number;
}

const retryMs = 100;

/** Nomad's HTTP API (https://developer.hashicorp.com/nomad/api-docs). Errors never hold the token. */
export class NomadClient {
  readonly #settings: ClientSettings;
  readonly #agent = new Agent({ connect: { timeout: 5000 }, headersTimeout: 0, bodyTimeout: 0 });

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

  async answer<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const { text, index } = await this.#send(path, options);
    return { body: (text === "" ? undefined : JSON.parse(text)) as T, index };
  }

  async text(path: string, options: RequestOptions = {}): Promise<string> {
    return (await this.#send(path, options)).text;
  }

  async #send(path: string, options: RequestOptions): Promise<{ text: string; index: number }> {
    const { address, token, region } = this.#settings;
    const url = new URL(path, address);
    for (const [name, value] of Object.entries({ region, ...options.query })) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    const deadline = Date.now() + (options.connectWithinMs ?? 0);
    for (;;) {
      try {
        const response = await request(url, {
          method: options.method ?? "GET",
          dispatcher: this.#agent,
          headers: { ...(token ? { "x-nomad-token": token } : {}), "content-type": "application/json" },
          body: options.body === undefined ? undefined : JSON.stringify(options.body),
          signal: options.signal,
        });
        const text = await response.body.text();
        if (response.statusCode >= 300) {
          throw new NomadError(response.statusCode, explain(response.statusCode, text.trim(), url));
        }
        return { text, index: Number(response.headers["x-nomad-index"] ?? 0) };
      } catch (error) {
        if (error instanceof NomadError || options.signal?.aborted) {
          throw error;
        }
        if (Date.now() >= deadline) {
          throw new Error(
            `Nomad does not answer at ${address} (${(error as Error).message}). Is its agent running? \`lab up\` starts it.`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }
}

function explain(status: number, text: string, url: URL): string {
  if (status === 403) {
    return `Nomad refused ${url.pathname}: ${text}. The provider's token lacks the permission, or is not of this cluster.`;
  }
  return `Nomad answered ${status} to ${url.pathname}: ${text}`;
}
