import type { IncomingMessage } from "node:http";
import { pipeline, type Readable, Transform } from "node:stream";
import type { Deadlines, Timed } from "./deadlines.ts";

/**
 * So much of a body is read before an instance is asked: a body that ends by then can be sent to another one too, and nobody gets a
 * connection to an instance, of which there are few, for a trickle.
 */
const firstBytes = 65_536;
/** How long that may take. */
const firstMs = 10_000;
/**
 * What has to come of the rest, on average, after a while in which a connection may falter. Modems were faster, yet it bounds how long a body of
 * a given size may occupy an instance; web servers that have such a rule ask for 240 to 500 bytes a second.
 */
const leastBytesPerMs = 1024 / 1000;
const graceMs = 10_000;

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
    throw tooLarge(maxBytes);
  }
}

/**
 * Reads a body, as far as it is small: what is larger goes on as it comes. That stream fails with the code `BODY_TOO_LARGE` where it
 * becomes larger than `maxBytes`, and with `BODY_TOO_SLOW` where the caller takes too long. Some of it may have reached an instance by then,
 * as part of a request that never becomes whole.
 *
 * @throws BodyError when its first part doesn't come, or not all of it
 */
export function bodyOf(
  incoming: IncomingMessage,
  maxBytes: number,
  deadlines: Deadlines,
): Promise<Buffer | Readable> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timed: Timed = {
      deadlineMs: performance.now() + firstMs,
      place: -1,
      onDeadline: () => fail(new BodyError(408, "The body did not come in time. Send it faster.")),
    };
    const stop = () => {
      deadlines.drop(timed);
      incoming.off("data", onData).off("end", onEnd).pause();
    };
    const fail = (error: BodyError) => {
      stop();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBytes) {
        fail(tooLarge(maxBytes));
      } else if (bytes > firstBytes) {
        stop();
        resolve(streamed(incoming, chunks, maxBytes - bytes, deadlines));
      }
    };
    const onEnd = () => {
      deadlines.drop(timed);
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    };
    deadlines.add(timed);
    incoming
      .on("data", onData)
      .once("end", onEnd)
      .once("error", () => fail(new BodyError(400, "The body is not whole.")));
  });
}

/** What was read of a body, and the rest of it. */
function streamed(
  incoming: IncomingMessage,
  first: readonly Buffer[],
  maxBytes: number,
  deadlines: Deadlines,
): Readable {
  let bytes = 0;
  let sinceMs = performance.now();
  let sinceBytes = 0;
  const timed: Timed = {
    deadlineMs: sinceMs + graceMs,
    place: -1,
    onDeadline() {
      if (body.readableLength > 0) {
        // It is the instance that doesn't take what is there: the caller's time begins anew.
        sinceMs = performance.now();
        sinceBytes = bytes;
        timed.deadlineMs = sinceMs + graceMs;
      } else {
        body.destroy(failure("BODY_TOO_SLOW"));
      }
    },
  };
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      timed.deadlineMs = sinceMs + Math.max(graceMs, (bytes - sinceBytes) / leastBytesPerMs);
      done(bytes > maxBytes ? failure("BODY_TOO_LARGE") : null, chunk);
    },
  });
  for (const chunk of first) {
    body.push(chunk);
  }
  deadlines.add(timed);
  // Whoever reads it hears of its errors.
  pipeline(incoming, body, () => deadlines.drop(timed));
  return body;
}

function tooLarge(maxBytes: number): BodyError {
  return new BodyError(413, `The body has more than ${maxBytes} bytes. Send less.`);
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
