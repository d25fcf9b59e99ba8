import { z } from "@hono/zod-openapi";
import { Problem } from "@lab/service-kit";
import type { Collection, Db, Filter } from "mongodb";
import { replaceOrInsert } from "./inserts.ts";

/** A product as MongoDB keeps it: found by its SKU, with any fields. */
export interface ProductDocument extends Record<string, unknown> {
  _id: string;
}

/** How many units there are of a product that doesn't say. */
export const defaultStock = 1000;

/** What lies at `/api/products/students` is not the product of that name. */
const reserved = "students";

export const bySku = z.object({
  sku: z
    .string()
    .regex(/^[A-Za-z0-9][\w-]{0,39}$/)
    .refine((sku) => sku !== reserved, `${reserved} is a path of its own, and no product`)
    .openapi({ example: "jacket-1", description: `Any but ${reserved}.` }),
});

/** The products that the shop has. */
export class Catalog {
  readonly #products: Collection<ProductDocument>;

  constructor(database: Db) {
    this.#products = database.collection("products");
  }

  /** @throws Problem 404 when there is none */
  async get(sku: string): Promise<ProductDocument> {
    const found = await this.#products.findOne({ _id: sku });
    if (!found) {
      throw new Problem(404, `There is no product ${sku}.`);
    }
    return found;
  }

  /** How many units of a product there are, those that are reserved included; 0 of one that is not there. */
  async stockOf(sku: string): Promise<number> {
    const found = await this.#products.findOne({ _id: sku }, { projection: { stock: 1 } });
    return found ? stockIn(found) : 0;
  }

  /** Those that a filter finds, in the order of their SKUs. */
  search(
    filter: Filter<ProductDocument>,
    { after, limit }: { after?: string; limit: number },
  ): Promise<ProductDocument[]> {
    const page = after === undefined ? filter : { $and: [filter, { _id: { $gt: after } }] };
    return this.#products.find(page).sort({ _id: 1 }).limit(limit).toArray();
  }

  /** Creates or replaces a product. */
  async put(sku: string, fields: Record<string, unknown>): Promise<void> {
    await replaceOrInsert(this.#products, { _id: sku }, fields);
  }

  async remove(sku: string): Promise<void> {
    await this.#products.deleteOne({ _id: sku });
  }
}

/** The stock of a document, which may be older than the field. */
export function stockIn({ stock }: ProductDocument): number {
  return Number.isSafeInteger(stock) ? (stock as number) : defaultStock;
}
