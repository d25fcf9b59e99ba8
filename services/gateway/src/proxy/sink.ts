import type { ServerResponse } from "node:http";

/** Why there is no answer of an instance. */
export interface Failure {
  status: 400 | 408 | 413 | 502 | 503 | 504;
  /** For the caller. */
  detail: string;
  /** For the log. */
  cause: string;
}

/** Takes an answer, part by part. */
export interface Sink {
  /** @param headers names and values in turn, without those of the connection */
  head(status: number, statusText: string, headers: string[]): void;
  /** @returns false when no more is wanted until `resume` is called */
  data(chunk: Buffer, resume: () => void): boolean;
  end(trailers: Record<string, string | string[] | undefined>): void;
  /** In place of `head`: there is no answer. */
  unanswered(failure: Failure): void;
  /** After `head`: there is no more. */
  broken(): void;
}

/** Up to this size a copy costs less than a write of several buffers. */
const shortBytes = 8192;

/** The caller's end of the connection. */
export class CallerSink implements Sink {
  readonly #outgoing: ServerResponse;
  readonly #extra: readonly string[];
  readonly #onUnanswered: (failure: Failure) => void;
  /** How many bytes of the body are to come, where the answer says. */
  #left = Number.NaN;

  /**
   * @param extra headers of the gateway's own, names and values in turn
   * @param onUnanswered answers in the instance's place
   */
  constructor(outgoing: ServerResponse, extra: readonly string[], onUnanswered: (failure: Failure) => void) {
    this.#outgoing = outgoing;
    this.#extra = extra;
    this.#onUnanswered = onUnanswered;
  }

  head(status: number, statusText: string, headers: string[]): void {
    for (let index = 0; index < headers.length; index += 2) {
      if (headers[index]?.length === 14 && headers[index]?.toLowerCase() === "content-length") {
        this.#left = Number(headers[index + 1]);
      }
    }
    headers.push(...this.#extra);
    this.#outgoing.writeHead(status, statusText, headers);
    if (Number.isNaN(this.#left)) {
      // What comes of a body together with its head leaves with it, but an event may be long in coming.
      process.nextTick(() => this.#flushHead());
    }
  }

  data(chunk: Buffer, resume: () => void): boolean {
    this.#left -= chunk.length;
    if (this.#left === 0) {
      // Head and last part leave in one write, and as one text where they are short: that costs half of what two buffers do.
      if (chunk.length <= shortBytes) {
        this.#outgoing.end(chunk.toString("latin1"), "latin1");
      } else {
        this.#outgoing.end(chunk);
      }
      return true;
    }
    if (this.#outgoing.write(chunk)) {
      return true;
    }
    this.#outgoing.once("drain", resume);
    return false;
  }

  end(trailers: Record<string, string | string[] | undefined>): void {
    if (this.#outgoing.writableEnded) {
      return;
    }
    const names = Object.keys(trailers);
    if (names.length > 0) {
      this.#outgoing.addTrailers(trailers as Record<string, string>);
    }
    this.#outgoing.end();
  }

  unanswered(failure: Failure): void {
    this.#onUnanswered(failure);
  }

  /** Closed, so that the caller sees that the answer is not whole. */
  broken(): void {
    this.#outgoing.destroy();
  }

  #flushHead(): void {
    if (!this.#outgoing.writableEnded && !this.#outgoing.destroyed) {
      this.#outgoing.flushHeaders();
    }
  }
}
