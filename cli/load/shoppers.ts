import { randomBytes } from "node:crypto";
import type { Outputs } from "../outputs.ts";
import { type Person, ShopClient } from "../shop-client.ts";

/** Registered customers, and what they order. */
export interface Shoppers {
  people: Person[];
  userIds: number[];
  tokens: string[];
  /** One of each of two products in every order. */
  lines: Array<{ sku: string; quantity: number }>;
  close(): Promise<void>;
}

const priceCents = 1900;
/** More than anybody orders in a measurement. */
const stock = 1_000_000;

/** Registers customers who have never ordered before, and makes products that don't sell out. */
export async function registerShoppers({ urls, credentials }: Outputs, count: number): Promise<Shoppers> {
  const client = new ShopClient(urls.gateway);
  const run = randomBytes(6).toString("hex");
  try {
    const admin = await client.login(credentials.shopAdmin);
    const skus = [`measured-${run}-1`, `measured-${run}-2`];
    for (const sku of skus) {
      const product = { name: "Something to measure with", category: "measurement", priceCents, stock };
      await admin.ask("PUT", `/api/products/${sku}`, { body: product });
    }
    const people = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        client.register({
          name: `Shopper ${index + 1} of ${run}`,
          email: `shopper-${run}-${index + 1}@example.org`,
          password: randomBytes(12).toString("base64url"),
        }),
      ),
    );
    return {
      people,
      userIds: await Promise.all(people.map((person) => person.id())),
      tokens: await Promise.all(people.map((person) => person.token())),
      lines: skus.map((sku) => ({ sku, quantity: 1 })),
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}
