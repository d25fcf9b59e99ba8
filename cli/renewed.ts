/** Something that is good until then. */
interface Expiring {
  /** ISO 8601. */
  expiresAt: string;
}

/** Something that ends, and is made anew before it does. */
export class Renewed<T extends Expiring> {
  readonly #make: () => Promise<T>;
  readonly #beforeMs: number;
  #latest: Promise<T> | undefined;

  /** @param beforeMs how long before its end it is made anew */
  constructor(make: () => Promise<T>, beforeMs: number) {
    this.#make = make;
    this.#beforeMs = beforeMs;
  }

  /** One that is good for a while yet. Who asks at once waits for the same one, and a failure is not remembered. */
  async current(): Promise<T> {
    const known = this.#latest;
    const value = await known;
    if (value && Date.parse(value.expiresAt) - Date.now() > this.#beforeMs) {
      return value;
    }
    if (this.#latest === known) {
      this.#latest = this.#makeNew();
    }
    return this.#latest as Promise<T>;
  }

  async #makeNew(): Promise<T> {
    try {
      return await this.#make();
    } catch (error) {
      this.#latest = undefined;
      throw error;
    }
  }
}
