import type { IncomingMessage } from "node:http";
import { pipeline, type Readable, Transform } from "node:stream";
import type { Deadlines, Timed } from "./deadlines.ts";

/** Bodies up to this are read before an instance is asked: so another can be asked with them, and none waits for a slow caller. */
const wholeBytes = 65_536;
/** How long such a body may take. */
const wholeMs = 10_000;

/** A body that can't be handed on. */
export class BodyError extends Error {
  override name = "BodyError";
  readonly status: 400 | 408 | 413;

  constructor(status: 400 | 408 | 413, message: string) {
    super(message);
    this.status = status;
  }
}

/** Whether a request carries a body (RFC 9112 §6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** @throws BodyError when the body is announced as larger than `maxBytes` */
export function refuseLarge({ headers }: IncomingMessage, maxBytes: number): void {
  if (Number(headers["content-length"] ?? 0) > maxBytes) {
    throw new BodyError(413, `The body has more than ${maxBytes} bytes. Send less.`);
  }
}

/** Whether the body is small enough to be read first. */
export function isSmall({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"]) <= wholeBytes;
}

/**
 * Reads a small body.
 *
 * @throws BodyError when it doesn't come, or not all of it
 */
export function readBody(incoming: IncomingMessage, deadlines: Deadlines): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const timed: Timed = {
      deadlineMs: performance.now() + wholeMs,
      place: -1,
      onDeadline: () => fail(new BodyError(408, "The body did not come in time. Send it faster.")),
    };
    const fail = (error: Error) => {
      deadlines.drop(timed);
      reject(error);
    };
    deadlines.add(timed);
    incoming
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .once("end", () => {
        deadlines.drop(timed);
        resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
      })
      .once("error", () => fail(new BodyError(400, "The body is not whole.")));
  });
}

/**
 * A body of unannounced length, cut off where it becomes larger than `maxBytes`: its error's code is `BODY_TOO_LARGE` then. Some of it may
 * have reached an instance by then, as part of a request that never becomes whole.
 */
export function limited(incoming: IncomingMessage, maxBytes: number): Readable {
  let bytes = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(
        bytes > maxBytes ? Object.assign(new Error("too large"), { code: "BODY_TOO_LARGE" }) : null,
        chunk,
      );
    },
  });
  // Whoever reads it hears of its errors.
  pipeline(incoming, counting, () => undefined);
  return counting;
}
