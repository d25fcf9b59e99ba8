import { once } from "node:events";
import { currentWork, type Logger, measure, type ServiceTokens } from "@lab/service-kit";
import { Agent, type Dispatcher, errors } from "undici";
import type { Endpoint } from "./endpoint.ts";
import { roundRobin } from "./round-robin.ts";
import { ServiceWatch } from "./watch.ts";

export interface ServiceClientOptions {
  /** Consul's HTTP API. */
  consulUrl: string;
  /** The service to call, as Consul knows it. */
  service: string;
  /** Sends a token by which the service knows this one. */
  tokens?: Pick<ServiceTokens, "sign">;
  /** How long an answer may take, unless a request says otherwise. */
  timeoutMs?: number;
  log: Logger;
}

export interface ServiceRequest {
  method: Dispatcher.HttpMethod;
  /** With its query, percent-encoded. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface ServiceResponse {
  status: number;
  /** The JSON of the answer; its text where it is no JSON, `undefined` where it has none. */
  body: unknown;
}

/**
 * A service gave no answer: `none` when no instance is healthy, `timeout` when one took too long, `connection` when the
 * connection failed. After the last two the request may have been carried out.
 */
export class ServiceAwayError extends Error {
  override name = "ServiceAwayError";
  readonly code: "none" | "timeout" | "connection";

  constructor(code: ServiceAwayError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const defaultTimeoutMs = 2000;
const connectTimeoutMs = 500;
/** On how many instances a request is tried when none can be connected to. */
const maxAttempts = 3;

/** Calls a service: finds its instances in Consul, takes them in turn, and hands on the trace of the current work. */
export class ServiceClient {
  readonly #options: ServiceClientOptions;
  readonly #watch: ServiceWatch;
  readonly #next = roundRobin<Endpoint>();
  readonly #agent = new Agent({ connections: 64, connect: { timeout: connectTimeoutMs } });

  /** Begins to watch the service at once. */
  constructor(options: ServiceClientOptions) {
    this.#options = options;
    const { consulUrl, service, log } = options;
    this.#watch = new ServiceWatch({
      consulUrl,
      service,
      onChange: (endpoints) =>
        log.info(
          { upstream: service, instances: endpoints.map(({ origin }) => origin) },
          "instances changed",
        ),
      onError: (error) =>
        log.warn({ upstream: service, err: error }, "Consul can't be asked; the last list stays"),
    });
  }

  /**
   * Sends a request and waits for its answer, whatever its status. An instance that can't be connected to has seen nothing of
   * it, so the next one is tried.
   *
   * @throws ServiceAwayError when there is no answer
   */
  request(request: ServiceRequest): Promise<ServiceResponse> {
    return measure(`http:${this.#options.service}`, () => this.#request(request));
  }

  async close(): Promise<void> {
    await this.#watch.close();
    await this.#agent.close();
  }

  async #request(request: ServiceRequest): Promise<ServiceResponse> {
    const { service, log, timeoutMs: usualMs = defaultTimeoutMs } = this.#options;
    const timeoutMs = request.timeoutMs ?? usualMs;
    const signal = AbortSignal.timeout(timeoutMs);
    await this.#known(signal);
    const tried = new Set<string>();
    for (;;) {
      const endpoint = this.#next(this.#watch.endpoints.filter(({ id }) => !tried.has(id)));
      if (!endpoint) {
        throw tried.size === 0
          ? new ServiceAwayError("none", `No instance of ${service} is healthy.`)
          : new ServiceAwayError("connection", `No instance of ${service} can be connected to.`);
      }
      tried.add(endpoint.id);
      try {
        return await this.#send(endpoint, request, signal);
      } catch (error) {
        (currentWork()?.log ?? log).warn(
          { upstream: service, endpoint: endpoint.origin, err: error },
          "no answer",
        );
        if (signal.aborted) {
          throw new ServiceAwayError("timeout", `${service} gave no answer in ${timeoutMs} ms.`, {
            cause: error,
          });
        }
        if (!isBeforeConnection(error) || tried.size >= maxAttempts) {
          throw new ServiceAwayError("connection", `The connection to ${service} failed.`, { cause: error });
        }
      }
    }
  }

  /** Right after the start Consul's first answer may still be on its way. */
  async #known(signal: AbortSignal): Promise<void> {
    if (!this.#watch.isKnown) {
      await Promise.race([this.#watch.firstAnswer, once(signal, "abort")]);
    }
  }

  async #send(
    endpoint: Endpoint,
    { method, path, body, headers }: ServiceRequest,
    signal: AbortSignal,
  ): Promise<ServiceResponse> {
    const { service, tokens } = this.#options;
    const traceparent = currentWork()?.traceparent;
    const answer = await this.#agent.request({
      origin: endpoint.origin,
      path,
      method,
      headers: {
        ...(traceparent && { traceparent }),
        ...(tokens && { authorization: `Bearer ${await tokens.sign(service)}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
    });
    const text = await answer.body.text();
    const isJson = /^application\/(problem\+)?json\b/.test(String(answer.headers["content-type"]));
    return {
      status: answer.statusCode,
      body: text === "" ? undefined : isJson ? JSON.parse(text) : text,
    };
  }
}

/** Whether nothing of a request can have reached the other side. */
function isBeforeConnection(error: unknown): boolean {
  return (
    error instanceof errors.ConnectTimeoutError || (error as NodeJS.ErrnoException).code === "ECONNREFUSED"
  );
}
