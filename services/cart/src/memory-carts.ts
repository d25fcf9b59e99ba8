import { CartFullError, type CartStore, type Contents, type Item, maxItems, maxQuantity } from "./store.ts";

interface Cart {
  quantities: Map<string, number>;
  expiresAtMs: number;
}

/**
 * Carts in the memory of this process: what a service must not do, kept to be compared. They are lost with the process, and no
 * other instance sees them.
 */
export class MemoryCarts implements CartStore {
  /** The one that was touched last is the last. */
  readonly #carts = new Map<string, Cart>();
  readonly #ttlMs: number;
  readonly #nowMs: () => number;

  constructor(ttlSeconds: number, nowMs: () => number = Date.now) {
    this.#ttlMs = ttlSeconds * 1000;
    this.#nowMs = nowMs;
  }

  async read(owner: string): Promise<Contents> {
    this.#dropExpired();
    const cart = this.#carts.get(owner);
    return {
      items: [...(cart?.quantities ?? [])]
        .map(([sku, quantity]) => ({ sku, quantity }))
        .sort((one, other) => (one.sku < other.sku ? -1 : 1)),
      expiresInSeconds: cart ? Math.ceil((cart.expiresAtMs - this.#nowMs()) / 1000) : null,
    };
  }

  async set(owner: string, { sku, quantity }: Item): Promise<void> {
    this.#dropExpired();
    const quantities = new Map(this.#carts.get(owner)?.quantities);
    quantities.delete(sku);
    if (quantity > 0) {
      quantities.set(sku, quantity);
    }
    this.#keep(owner, quantities);
  }

  async empty(owner: string): Promise<void> {
    this.#carts.delete(owner);
  }

  async merge(from: string, to: string): Promise<number> {
    this.#dropExpired();
    const moved = this.#carts.get(from)?.quantities;
    if (!moved) {
      return 0;
    }
    const quantities = new Map(this.#carts.get(to)?.quantities);
    for (const [sku, quantity] of moved) {
      quantities.set(sku, Math.min((quantities.get(sku) ?? 0) + quantity, maxQuantity));
    }
    this.#keep(to, quantities);
    this.#carts.delete(from);
    return moved.size;
  }

  #keep(owner: string, quantities: Map<string, number>): void {
    if (quantities.size > maxItems) {
      throw new CartFullError();
    }
    this.#carts.delete(owner);
    if (quantities.size > 0) {
      this.#carts.set(owner, { quantities, expiresAtMs: this.#nowMs() + this.#ttlMs });
    }
  }

  #dropExpired(): void {
    for (const [owner, { expiresAtMs }] of this.#carts) {
      if (expiresAtMs > this.#nowMs()) {
        return;
      }
      this.#carts.delete(owner);
    }
  }
}
