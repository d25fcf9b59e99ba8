import type { Redis } from "ioredis";
import { CartFullError, type CartStore, type Contents, type Item, maxItems, maxQuantity } from "./store.ts";

/**
 * Scripts, which Redis runs as one: a cart is never seen, or left behind by a crash, half changed or without an expiry. Keys and
 * values are handed over beside the text, and are never read as Lua.
 */
const scripts = {
  /** Cart; SKU, quantity, limit of products, seconds to live. 0 when the cart is full. */
  set: `
    if ARGV[2] == '0' then
      redis.call('HDEL', KEYS[1], ARGV[1])
    elseif redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
      return 0
    else
      redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    end
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    return 1`,
  /** From, to; limit of products, limit of a quantity, seconds to live. How many products there were, or -1 when there is no room. */
  merge: `
    local items = redis.call('HGETALL', KEYS[1])
    local room = tonumber(ARGV[1]) - redis.call('HLEN', KEYS[2])
    for i = 1, #items, 2 do
      room = room - 1 + redis.call('HEXISTS', KEYS[2], items[i])
    end
    if #items == 0 then return 0 end
    if room < 0 then return -1 end
    for i = 1, #items, 2 do
      local sum = tonumber(items[i + 1]) + tonumber(redis.call('HGET', KEYS[2], items[i]) or 0)
      redis.call('HSET', KEYS[2], items[i], math.min(sum, tonumber(ARGV[2])))
    end
    redis.call('DEL', KEYS[1])
    redis.call('EXPIRE', KEYS[2], ARGV[3])
    return #items / 2`,
};

/** Carts in Redis: one hash an owner. Whichever instance is asked, and however often it was replaced since, the cart is there. */
export class RedisCarts implements CartStore {
  readonly #redis: Redis;
  readonly #ttlSeconds: number;

  constructor(redis: Redis, ttlSeconds: number) {
    this.#redis = redis;
    this.#ttlSeconds = ttlSeconds;
  }

  async read(owner: string): Promise<Contents> {
    const key = keyOf(owner);
    const [items, ttl] = await Promise.all([this.#redis.hgetall(key), this.#redis.ttl(key)]);
    return {
      items: Object.entries(items)
        .map(([sku, quantity]) => ({ sku, quantity: Number(quantity) }))
        .sort((one, other) => (one.sku < other.sku ? -1 : 1)),
      expiresInSeconds: ttl >= 0 ? ttl : null,
    };
  }

  async set(owner: string, { sku, quantity }: Item): Promise<void> {
    const limits = [maxItems, this.#ttlSeconds];
    const isSet = await this.#redis.eval(scripts.set, 1, keyOf(owner), sku, quantity, ...limits);
    if (isSet === 0) {
      throw new CartFullError();
    }
  }

  async empty(owner: string): Promise<void> {
    await this.#redis.del(keyOf(owner));
  }

  async merge(from: string, to: string): Promise<number> {
    const limits = [maxItems, maxQuantity, this.#ttlSeconds];
    const moved = Number(await this.#redis.eval(scripts.merge, 2, keyOf(from), keyOf(to), ...limits));
    if (moved < 0) {
      throw new CartFullError();
    }
    return moved;
  }
}

/** The key of a cart. */
export function keyOf(owner: string): string {
  return `cart:${owner}`;
}
