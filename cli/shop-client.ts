import { Agent, type Dispatcher, request } from "undici";
import { LabError } from "./errors.ts";
import { labAddress } from "./lab-address.ts";
import { Renewed } from "./renewed.ts";

/** What signs a person in. */
export interface Login {
  email: string;
  password: string;
}

/** What the gateway has answered. */
export interface ShopAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Parsed where it is JSON; the text where it is not; `undefined` for an empty one. */
  body: unknown;
}

/** What goes with a request, beside its method and path. */
export interface ShopRequest {
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Ends it early. */
  signal?: AbortSignal;
}

/** Gives a token that is good at this moment: to be asked for each request, since a run lasts longer than a token. */
export type CurrentToken = () => Promise<string>;

/** How long before its end a token is replaced. */
const renewBeforeMs = 30_000;
/** The gateway's own live for a minute, of which half may be over when it gives one out. */
const renewInternalBeforeMs = 15_000;

/** The shop as it is seen through its gateway, from {@link labAddress}. */
export class ShopClient {
  /** Someone who has not logged in. */
  readonly nobody: Caller;
  readonly #url: string;
  readonly #agent: Agent;

  /** @param connections how many requests may be under way at once */
  constructor(gatewayUrl: string, { connections = 16 } = {}) {
    this.#url = gatewayUrl;
    this.#agent = new Agent({ connections, localAddress: labAddress });
    this.nobody = new Caller(this.#url, this.#agent);
  }

  /** Logs in; the caller that it gives does so again before its token ends. */
  async login({ email, password }: Login): Promise<Person> {
    const person = new Person(this.#url, this.#agent, { email, password });
    await person.token();
    return person;
  }

  /** Makes an account, and logs in with it. */
  async register(account: Login & { name: string; age?: number }): Promise<Person> {
    await this.nobody.ask("POST", "/api/users", { body: account });
    return this.login(account);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** Someone who sends requests. */
export class Caller {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, agent: Agent) {
    this.#url = url;
    this.#agent = agent;
  }

  /**
   * Sends a request, whatever the answer.
   *
   * @throws LabError when the gateway can't be reached
   */
  async send(method: Dispatcher.HttpMethod, path: string, options: ShopRequest = {}): Promise<ShopAnswer> {
    const { body, headers, signal } = options;
    try {
      const answer = await request(new URL(path, this.#url), {
        method,
        dispatcher: this.#agent,
        headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
      });
      const text = await answer.body.text();
      return { status: answer.statusCode, headers: answer.headers, body: parsed(text) };
    } catch (error) {
      throw new LabError(
        "missing",
        "not-running",
        `The gateway at ${this.#url} does not answer ${method} ${path}: ${(error as Error).message}`,
        "./lab status shows whether it runs; ./lab up starts what is missing.",
      );
    }
  }

  /**
   * Sends a request, and gives the body of the answer.
   *
   * @throws LabError when the gateway can't be reached, or the answer is not 2xx
   */
  async ask<T = unknown>(method: Dispatcher.HttpMethod, path: string, options?: ShopRequest): Promise<T> {
    const { status, body } = await this.send(method, path, options);
    if (status >= 300) {
      throw new LabError(
        "failed",
        "refused",
        `${method} ${path} answered ${status}: ${problemOf(body)}`,
        "./lab status shows whether all services are healthy.",
      );
    }
    return body as T;
  }
}

interface Token {
  token: string;
  /** ISO 8601. */
  expiresAt: string;
}

interface Session extends Token {
  user: { id: number };
}

/** Someone who is logged in. */
export class Person extends Caller {
  readonly #login: Login;
  readonly #session = new Renewed(() => this.#logIn(), renewBeforeMs);
  readonly #internal = new Renewed(() => this.ask<Token>("POST", "/_gateway/token"), renewInternalBeforeMs);

  constructor(url: string, agent: Agent, login: Login) {
    super(url, agent);
    this.#login = login;
  }

  /** The user's id. */
  async id(): Promise<number> {
    return (await this.#session.current()).user.id;
  }

  /** A token that is good for a while yet. */
  async token(): Promise<string> {
    return (await this.#session.current()).token;
  }

  /** What the gateway sends on to services in place of {@link token}: to ask an instance past it, at once. */
  async internalToken(): Promise<string> {
    return (await this.#internal.current()).token;
  }

  override async send(
    method: Dispatcher.HttpMethod,
    path: string,
    options: ShopRequest = {},
  ): Promise<ShopAnswer> {
    const headers = { ...options.headers, authorization: `Bearer ${await this.token()}` };
    return super.send(method, path, { ...options, headers });
  }

  async #logIn(): Promise<Session> {
    const { status, body } = await super.send("POST", "/api/users/login", { body: this.#login });
    if (status !== 200) {
      throw new LabError(
        "failed",
        "login-refused",
        `${this.#login.email} can't log in: ${status}, ${problemOf(body)}`,
        "./lab status shows whether the user service is healthy.",
      );
    }
    return body as Session;
  }
}

/** What a problem document says, or the beginning of any other body. */
function problemOf(body: unknown): string {
  const { detail } = (body ?? {}) as { detail?: string };
  return detail ?? JSON.stringify(body ?? "").slice(0, 300);
}

function parsed(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
