import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { LRUCache } from "lru-cache";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Policies } from "../policies/policies.ts";

type Settings = Policies["rateLimit"];
type Kind = "address" | "identity";

/** What a request may do. */
export interface Verdict {
  kind: Kind;
  isAllowed: boolean;
  /** How many pass in a window, how many of those are left, and in how many seconds the window ends. */
  limit: number;
  remaining: number;
  resetSeconds: number;
  windowSeconds: number;
}

/** Redis can't be asked, and the policy says that nothing passes then. */
export class RateLimitAwayError extends Error {
  override name = "RateLimitAwayError";
}

export interface RateLimitsOptions {
  redis: Redis;
  settings: Settings;
  /** Told when Redis can't be asked. */
  onError?(error: Error): void;
}

/** Requests that this instance has taken from a window of Redis in advance. */
interface Lease {
  left: number;
  remaining: number;
  endsMs: number;
}

/** What part of a limit is taken at once. Limits below 200 are asked for request by request, and so are exact. */
const leaseShare = 0.005;
/** How long Redis is left alone after it gave no answer. */
const pauseMs = 1000;
const maxLeases = 20_000;

/**
 * Limits how many requests pass in a window, over all instances of the gateway: a fixed window for each client, which begins with
 * its first request, counted in Redis. At the edge of two windows a client can so send up to twice the limit within one
 * window's length. For a limit of 200 and more an instance takes up to 0.5 % of it at once; what it then doesn't use is lost to the
 * client for that window.
 */
export class RateLimits {
  readonly #options: RateLimitsOptions;
  readonly #limiters: Record<Kind, RateLimiterRedis>;
  readonly #sizes: Record<Kind, number>;
  readonly #leases = new LRUCache<string, Lease>({ max: maxLeases });
  #pausedUntilMs = 0;
  #waiting = 0;

  constructor(options: RateLimitsOptions) {
    this.#options = options;
    const { address, identity } = options.settings;
    this.#limiters = {
      address: limiter(options.redis, "address", address),
      identity: limiter(options.redis, "identity", identity),
    };
    this.#sizes = { address: leaseSize(address.limit), identity: leaseSize(identity.limit) };
  }

  /**
   * Counts a request: at once where this instance has some in hand, else when Redis has answered.
   *
   * @param key the address, or the user's id
   * @returns `undefined` where Redis can't be asked and all may pass
   * @throws RateLimitAwayError where nothing may
   */
  count(kind: Kind, key: string): Verdict | Promise<Verdict | undefined> {
    const lease = this.#leases.get(`${kind}:${key}`);
    if (lease && lease.left > 0 && lease.endsMs > Date.now()) {
      lease.left -= 1;
      return this.#verdict(kind, true, lease.remaining + lease.left, lease.endsMs - Date.now());
    }
    return this.#ask(kind, key);
  }

  async #ask(kind: Kind, key: string): Promise<Verdict | undefined> {
    if (this.#pausedUntilMs > performance.now()) {
      return this.#whenDown();
    }
    const size = this.#sizes[kind];
    try {
      const { remainingPoints, msBeforeNext } = await this.#limiters[kind].consume(key, size);
      return this.#lend(kind, key, size, remainingPoints, msBeforeNext);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) {
        this.#pausedUntilMs = performance.now() + pauseMs;
        this.#options.onError?.(error as Error);
        return this.#whenDown();
      }
      return this.#refused(kind, key, size, error);
    }
  }

  /** More than was left was asked for: what was left is taken all the same. */
  #refused(
    kind: Kind,
    key: string,
    size: number,
    { consumedPoints, msBeforeNext }: RateLimiterRes,
  ): Verdict | Promise<Verdict | undefined> {
    const left = this.#options.settings[kind].limit - (consumedPoints - size);
    if (left > 0) {
      return this.#lend(kind, key, left, 0, msBeforeNext);
    }
    const { action, maxDelayMs, maxWaiting } = this.#options.settings;
    if (action === "delay" && msBeforeNext <= maxDelayMs && this.#waiting < maxWaiting) {
      return this.#later(kind, key, msBeforeNext);
    }
    return this.#verdict(kind, false, 0, msBeforeNext);
  }

  async #later(kind: Kind, key: string, ms: number): Promise<Verdict | undefined> {
    this.#waiting += 1;
    try {
      await delay(ms + 1);
    } finally {
      this.#waiting -= 1;
    }
    return this.count(kind, key);
  }

  #lend(kind: Kind, key: string, size: number, remaining: number, msBeforeNext: number): Verdict {
    if (size > 1) {
      // Requests of the same client that came meanwhile may have taken some, too; they add up.
      const known = this.#leases.get(`${kind}:${key}`);
      const endsMs = Date.now() + msBeforeNext;
      const left = size - 1 + (known && known.endsMs > Date.now() ? known.left : 0);
      this.#leases.set(`${kind}:${key}`, { left, remaining, endsMs });
    }
    return this.#verdict(kind, true, remaining + size - 1, msBeforeNext);
  }

  #verdict(kind: Kind, isAllowed: boolean, remaining: number, ms: number): Verdict {
    const { limit, windowSeconds } = this.#options.settings[kind];
    return { kind, isAllowed, limit, remaining, resetSeconds: Math.ceil(ms / 1000), windowSeconds };
  }

  #whenDown(): undefined {
    if (this.#options.settings.whenDown === "closed") {
      throw new RateLimitAwayError("Redis does not answer");
    }
    return undefined;
  }
}

/** The headers of draft-ietf-httpapi-ratelimit-headers-11, names and values in turn. */
export function rateLimitHeaders({ kind, limit, remaining, resetSeconds, windowSeconds }: Verdict): string[] {
  return [
    "RateLimit-Policy",
    `"${kind}";q=${limit};w=${windowSeconds}`,
    "RateLimit",
    `"${kind}";r=${remaining};t=${resetSeconds}`,
  ];
}

function leaseSize(limit: number): number {
  return Math.max(1, Math.floor(limit * leaseShare));
}

function limiter(redis: Redis, kind: Kind, { limit, windowSeconds }: Settings[Kind]): RateLimiterRedis {
  return new RateLimiterRedis({
    storeClient: redis,
    // Another limit is another count: what was taken at once of a large one would use up a small one.
    keyPrefix: `gateway:rate:${kind}:${limit}:${windowSeconds}`,
    points: limit,
    duration: windowSeconds,
    rejectIfRedisNotReady: true,
  });
}
