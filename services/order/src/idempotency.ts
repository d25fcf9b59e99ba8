import { hash } from "node:crypto";
import type { OrderRequest } from "./schema.ts";

/** The same for requests that ask for the same, however their JSON is written. */
export function hashOf({ lines }: OrderRequest): Buffer {
  return hash("sha256", JSON.stringify(lines.map(({ sku, quantity }) => [sku, quantity])), "buffer");
}
