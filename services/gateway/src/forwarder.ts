import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Endpoint } from "@lab/discovery";
import { Agent, type Dispatcher } from "undici";
import { endToEnd } from "./headers.ts";

/** Why a request got no answer from an instance. */
export class UpstreamError extends Error {
  override name = "UpstreamError";
}

export interface ForwardRequest {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  endpoint: Endpoint;
  /** Set in place of the caller's. */
  traceparent: string;
  /** Closes the caller's connection after the answer. */
  closing: boolean;
}

/** Hands requests on to instances over kept connections, and streams both ways. */
export class Forwarder {
  readonly #agent = new Agent({ connections: 64, connect: { timeout: 2000 } });

  /**
   * Sends a request to an instance and its answer to the caller.
   *
   * @returns the status that the caller got
   * @throws UpstreamError when the instance did not answer, and nothing was sent to the caller
   */
  async forward({ incoming, outgoing, endpoint, traceparent, closing }: ForwardRequest): Promise<number> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    outgoing.once("close", onClose);
    try {
      const answer = await this.#request(incoming, endpoint, traceparent, gone.signal);
      outgoing.writeHead(answer.statusCode, {
        ...endToEnd(answer.headers),
        ...(closing ? { connection: "close" } : {}),
      });
      await pipeline(answer.body, outgoing);
      return answer.statusCode;
    } finally {
      outgoing.off("close", onClose);
    }
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  async #request(
    incoming: IncomingMessage,
    endpoint: Endpoint,
    traceparent: string,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await this.#agent.request({
        origin: endpoint.origin,
        path: incoming.url ?? "/",
        method: incoming.method as Dispatcher.HttpMethod,
        headers: { ...endToEnd(incoming.headers), traceparent },
        body: hasBody(incoming) ? incoming : null,
        signal,
      });
    } catch (error) {
      throw new UpstreamError((error as NodeJS.ErrnoException).code ?? (error as Error).message, {
        cause: error,
      });
    }
  }
}

/** Whether a request carries a body (RFC 9112 §6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
