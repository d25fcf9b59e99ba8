import { isRedisAway } from "@lab/redis";
import { currentWork, Problem } from "@lab/service-kit";
import type { Redis } from "ioredis";

/** The stream that the gateway reads. It takes no token that is named in there. */
export const revocationsKey = "revocations";

export interface RevocationsOptions {
  redis: Redis;
  /** How long a token is good: entries that are older name none that still is. */
  tokenTtlMs: number;
}

/** How much longer entries are kept, for clocks that are behind. */
const clockSkewMs = 60_000;

/**
 * How much later than now a person's tokens must have been issued to be good. Until an erasure is committed, which has 10 s to
 * go well, the person can still log in.
 */
const commitSeconds = 10;

/** Log-ins that have ended before their tokens do. */
export class Revocations {
  readonly #redis: Redis;
  readonly #keptMs: number;

  constructor({ redis, tokenTtlMs }: RevocationsOptions) {
    this.#redis = redis;
    this.#keptMs = tokenTtlMs + clockSkewMs;
  }

  /**
   * Ends one log-in; once more is no mistake.
   *
   * @param expiresAt when its token expires, in seconds since 1970
   * @throws Problem 503 while Redis is away
   */
  async endLogin(sid: string, expiresAt: number): Promise<void> {
    await this.#add("sid", sid, "exp", String(expiresAt));
  }

  /**
   * Ends all log-ins of a person who is about to be erased.
   *
   * @throws Problem 503 while Redis is away; some may have ended then
   */
  async endAllOf(userId: number): Promise<void> {
    const until = Math.floor(Date.now() / 1000) + commitSeconds;
    await this.#add("sub", String(userId), "iat", String(until));
  }

  async #add(...fields: string[]): Promise<void> {
    try {
      const oldest = String(Date.now() - this.#keptMs);
      await this.#redis.xadd(revocationsKey, "MINID", "~", oldest, "*", ...fields);
    } catch (error) {
      if (isRedisAway(this.#redis, error)) {
        currentWork()?.log.warn({ err: error }, "redis is away");
        throw new Problem(503, "Nobody can be logged out now. Try again in a moment.");
      }
      throw error;
    }
  }
}
