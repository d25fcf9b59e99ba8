import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { PersonClaims } from "./person-tokens.ts";

/** What the list says of a token. */
type Revocation = { sid: string; exp: number } | { sub: string; iat: number };

export interface RevocationsOptions {
  /** A connection of its own: it waits in Redis. */
  redis: Redis;
  /** Told when the list can't be read, and when it can be again. */
  onError?(error: Error): void;
  onCurrent?(): void;
}

const stream = "revocations";
/** How long Redis holds a question to which there is nothing new. */
export const blockMs = 5000;
const retryMs = 500;
const batch = 1000;
/** The longest that a log-out of everything is kept here, in seconds: the longest life of a token. */
const longestTokenSeconds = 86_400;

/**
 * The log-ins that were ended before their tokens: a stream in Redis, of which this keeps the whole in memory and hears of every
 * addition as it is made, so that a request costs no question.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #ended = new Map<string, number>();
  readonly #people = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  readonly #firstAnswer = Promise.withResolvers<void>();
  #isCurrent = false;
  #lastId = "0";

  /** Begins to read at once. */
  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#finished = this.#follow();
  }

  /** Whether it knows what Redis knows. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Resolves when it has read the list for the first time. */
  get firstAnswer(): Promise<void> {
    return this.#firstAnswer.promise;
  }

  get size(): number {
    return this.#ended.size + this.#people.size;
  }

  /** Whether a log-in was ended, or all of its person's until then. */
  has({ jti, sub, iat }: PersonClaims): boolean {
    if (jti !== undefined && this.#ended.has(jti)) {
      return true;
    }
    const until = this.#people.get(sub);
    return until !== undefined && iat <= until;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#options.redis.disconnect();
    await this.#finished;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#read();
        if (!this.#isCurrent) {
          this.#isCurrent = true;
          this.#firstAnswer.resolve();
          this.#options.onCurrent?.();
        }
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        if (this.#isCurrent || this.#lastId === "0") {
          this.#options.onError?.(error as Error);
        }
        this.#isCurrent = false;
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Reads what has come since the last time: without waiting until it has all, then as soon as something comes. */
  async #read(): Promise<void> {
    const { redis } = this.#options;
    const position = [stream, this.#lastId] as const;
    const answer = this.#isCurrent
      ? await redis.xread("COUNT", batch, "BLOCK", blockMs, "STREAMS", ...position)
      : await redis.xread("COUNT", batch, "STREAMS", ...position);
    const entries = answer?.[0]?.[1] ?? [];
    for (const [id, fields] of entries) {
      this.#lastId = id;
      this.#add(revocationOf(fields));
    }
    this.#forgetEnded();
    if (!this.#isCurrent && entries.length === batch) {
      await this.#read();
    }
  }

  #add(revocation: Revocation | undefined): void {
    if (revocation === undefined) {
      return;
    }
    if ("sid" in revocation) {
      this.#ended.set(revocation.sid, revocation.exp);
    } else {
      this.#people.set(
        revocation.sub,
        Math.max(revocation.iat, this.#people.get(revocation.sub) ?? Number.NEGATIVE_INFINITY),
      );
    }
  }

  /** What would have ended by itself by now. */
  #forgetEnded(): void {
    const nowSeconds = Date.now() / 1000;
    for (const [sid, exp] of this.#ended) {
      if (exp < nowSeconds) {
        this.#ended.delete(sid);
      }
    }
    for (const [sub, iat] of this.#people) {
      if (iat + longestTokenSeconds < nowSeconds) {
        this.#people.delete(sub);
      }
    }
  }
}

/** Reads an entry: `sid <id> exp <s>` or `sub <user> iat <s>`; `undefined` for one of another kind, which a newer writer may add. */
function revocationOf(fields: string[]): Revocation | undefined {
  const entry = Object.fromEntries(
    Array.from({ length: fields.length / 2 }, (_, index) => [fields[2 * index], fields[2 * index + 1]]),
  ) as Record<string, string | undefined>;
  if (entry.sid !== undefined && entry.exp !== undefined) {
    return { sid: entry.sid, exp: Number(entry.exp) };
  }
  if (entry.sub !== undefined && entry.iat !== undefined) {
    return { sub: entry.sub, iat: Number(entry.iat) };
  }
  return undefined;
}
