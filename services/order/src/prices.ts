import { ServiceAwayError, type ServiceClient } from "@lab/discovery";
import { Problem } from "@lab/service-kit";
import { z } from "zod";

/** What an order needs to know of a product. */
export interface Price {
  name: string;
  priceCents: number;
}

interface Remembered extends Price {
  readAtMs: number;
}

/** What a product looks like to this service; the rest of the document is none of its business. */
const productSchema = z.object({ name: z.string().min(1).max(200), priceCents: z.int().min(0) });

export interface PriceListOptions {
  product: Pick<ServiceClient, "request">;
  /** Milliseconds; any clock that doesn't go back. */
  now?(): number;
  /** How many SKUs are remembered. */
  maxSkus?: number;
}

/** How long a price is taken for current. */
export const freshMs = 60_000;

/**
 * What products cost, asked of the product service once a minute for each SKU that is ordered. While that is away, the last
 * price that it gave is good.
 */
export class PriceList {
  readonly #product: Pick<ServiceClient, "request">;
  readonly #now: () => number;
  readonly #maxSkus: number;
  /** The one that was read longest ago comes first. */
  readonly #known = new Map<string, Remembered>();
  readonly #asked = new Map<string, Promise<Price>>();

  constructor({ product, now = () => performance.now(), maxSkus = 10_000 }: PriceListOptions) {
    this.#product = product;
    this.#now = now;
    this.#maxSkus = maxSkus;
  }

  /**
   * @throws Problem 422 for a SKU that there is not, 503 for one whose price is not known while product is away
   */
  priceOf(sku: string): Price | Promise<Price> {
    const known = this.#known.get(sku);
    if (known && this.#now() - known.readAtMs < freshMs) {
      return known;
    }
    let answer = this.#asked.get(sku);
    if (!answer) {
      answer = this.#ask(sku, known).finally(() => this.#asked.delete(sku));
      this.#asked.set(sku, answer);
    }
    return answer;
  }

  async #ask(sku: string, known: Price | undefined): Promise<Price> {
    const answer = await this.#request(sku);
    if (answer === "unknown") {
      this.#known.delete(sku);
      throw new Problem(422, `There is no product ${sku}.`, { sku });
    }
    if (answer === "away") {
      if (known) {
        return known;
      }
      throw new Problem(503, `The price of ${sku} can't be had now. Try again in a moment.`, { sku });
    }
    this.#remember(sku, answer);
    return answer;
  }

  async #request(sku: string): Promise<Price | "unknown" | "away"> {
    try {
      const { status, body } = await this.#product.request({
        method: "GET",
        path: `/api/products/${encodeURIComponent(sku)}`,
      });
      if (status === 200) {
        // Something else may have the path, a list for one.
        return productSchema.safeParse(body).data ?? "unknown";
      }
      return status === 404 ? "unknown" : "away";
    } catch (error) {
      if (error instanceof ServiceAwayError) {
        return "away";
      }
      throw error;
    }
  }

  #remember(sku: string, price: Price): void {
    this.#known.delete(sku);
    this.#known.set(sku, { ...price, readAtMs: this.#now() });
    if (this.#known.size > this.#maxSkus) {
      this.#known.delete(this.#known.keys().next().value as string);
    }
  }
}
