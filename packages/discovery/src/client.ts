import { once } from "node:events";
import { currentWork, type Logger, measure, type ServiceTokens } from "@lab/service-kit";
import { Agent, type Dispatcher, errors } from "undici";
import { isFailureStatus } from "./health/failure.ts";
import type { Instance } from "./instance.ts";
import { upstreamPolicySchema } from "./policy.ts";
import { Upstream } from "./upstream.ts";
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
 * A service gave no answer: `none` when no instance is healthy, or the service is let alone for a moment since much failed; `timeout` when one took too long, `connection` when the
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

/** Nothing probes from here: the checks of the registry and what requests come to are enough for a few calls. */
const policy = upstreamPolicySchema.parse({ activeProbe: null });

/** What one try came to. */
type Try = { response: ServiceResponse; error?: undefined } | { response?: undefined; error: unknown };

/**
 * Calls a service: finds its instances in Consul, takes those in turn that don't fail, and hands on the trace of the current
 * work.
 */
export class ServiceClient {
  readonly #options: ServiceClientOptions;
  readonly #upstream: Upstream;
  readonly #agent = new Agent({ connections: 64, connect: { timeout: policy.timeouts.connectMs } });

  /** Begins to watch the service at once. */
  constructor(options: ServiceClientOptions) {
    this.#options = options;
    const { consulUrl, service, log } = options;
    const source = new ServiceWatch({
      consulUrl,
      service,
      onError: (error) =>
        log.warn({ upstream: service, err: error }, "Consul can't be asked; the last list stays"),
    });
    this.#upstream = new Upstream({
      name: service,
      source,
      policy,
      onEvent: (event) => log.info(event, "the state of an upstream changed"),
    });
  }

  /**
   * Sends a request and waits for its answer, whatever its status. Another instance is tried when one can't be connected to,
   * since it has seen nothing of the request; and after any failure of a request that may be carried out twice: one of a safe
   * method (RFC 9110 §9.2.1), or with an `Idempotency-Key`.
   *
   * @throws ServiceAwayError when there is no answer
   */
  request(request: ServiceRequest): Promise<ServiceResponse> {
    return measure(`http:${this.#options.service}`, () => this.#request(request));
  }

  async close(): Promise<void> {
    await this.#upstream.close();
    await this.#agent.close();
  }

  async #request(request: ServiceRequest): Promise<ServiceResponse> {
    const { service, timeoutMs: usualMs = defaultTimeoutMs } = this.#options;
    const timeoutMs = request.timeoutMs ?? usualMs;
    const signal = AbortSignal.timeout(timeoutMs);
    await this.#known(signal);
    if (!this.#upstream.breaker.allows()) {
      throw new ServiceAwayError("none", `${service} is let alone for a moment: too much of it failed.`);
    }
    const startedMs = performance.now();
    this.#upstream.noteRequest();
    const { response, error } = await this.#tries(request, signal);
    if (response) {
      this.#upstream.breaker.record(isFailureStatus(response.status), startedMs);
      return response;
    }
    this.#upstream.breaker.record(true, startedMs);
    if (signal.aborted) {
      throw new ServiceAwayError("timeout", `${service} gave no answer in ${timeoutMs} ms.`, {
        cause: error,
      });
    }
    throw new ServiceAwayError("connection", `The connection to ${service} failed.`, { cause: error });
  }

  /** Right after the start Consul's first answer may still be on its way. */
  async #known(signal: AbortSignal): Promise<void> {
    const { source } = this.#upstream;
    if (!source.status.isKnown) {
      await Promise.race([source.firstAnswer, once(signal, "abort")]);
    }
  }

  async #tries(request: ServiceRequest, signal: AbortSignal): Promise<Try> {
    const options = await this.#optionsOf(request, signal);
    const tried: Instance[] = [];
    let last: Try | undefined;
    for (;;) {
      const instance = this.#upstream.pick(undefined, tried);
      if (!instance) {
        if (last) {
          return last;
        }
        throw new ServiceAwayError("none", `No instance of ${this.#options.service} is healthy.`);
      }
      tried.push(instance);
      last = await this.#try(instance, options);
      const mayTryAgain =
        tried.length <= policy.retries.max && !signal.aborted && isForAnother(request, last);
      if (!mayTryAgain || !this.#upstream.mayRetry()) {
        return last;
      }
    }
  }

  async #optionsOf(
    { method, path, body, headers }: ServiceRequest,
    signal: AbortSignal,
  ): Promise<Omit<Dispatcher.RequestOptions, "origin">> {
    const { service, tokens } = this.#options;
    const traceparent = currentWork()?.traceparent;
    return {
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
    };
  }

  async #try(instance: Instance, options: Omit<Dispatcher.RequestOptions, "origin">): Promise<Try> {
    const { origin } = instance.endpoint;
    const startedMs = performance.now();
    let isFailure = true;
    try {
      const response = await this.#send({ ...options, origin });
      isFailure = isFailureStatus(response.status);
      return { response };
    } catch (error) {
      const { service, log } = this.#options;
      (currentWork()?.log ?? log).warn({ upstream: service, endpoint: origin, err: error }, "no answer");
      return { error };
    } finally {
      const latencyMs = performance.now() - startedMs;
      this.#upstream.release(instance, isFailure ? "failure" : "success", latencyMs);
    }
  }

  async #send(options: Dispatcher.RequestOptions): Promise<ServiceResponse> {
    const answer = await this.#agent.request(options);
    const text = await answer.body.text();
    const isJson = /^application\/(problem\+)?json\b/.test(String(answer.headers["content-type"]));
    return {
      status: answer.statusCode,
      body: text === "" ? undefined : isJson ? JSON.parse(text) : text,
    };
  }
}

/** Whether a request may be sent to another instance after what one try of it came to. */
function isForAnother(request: ServiceRequest, { response, error }: Try): boolean {
  if (response) {
    return isFailureStatus(response.status) && isRepeatable(request);
  }
  return isBeforeConnection(error) || isRepeatable(request);
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a request does no harm when it is carried out twice. */
function isRepeatable({ method, headers = {} }: ServiceRequest): boolean {
  return (
    safeMethods.has(method) || Object.keys(headers).some((name) => name.toLowerCase() === "idempotency-key")
  );
}

/** Whether nothing of a request can have reached the other side. */
function isBeforeConnection(error: unknown): boolean {
  return (
    error instanceof errors.ConnectTimeoutError || (error as NodeJS.ErrnoException).code === "ECONNREFUSED"
  );
}
