import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import type { Outputs } from "../outputs.ts";
import { type CurrentToken, type Person, ShopClient } from "../shop-client.ts";

/** Registered customers, and what they order. */
export interface Shoppers {
  people: Person[];
  /** Everybody's way to the shop without a log-in. */
  clients: ShopClient[];
  userIds: number[];
  /** Each customer's, to ask the order service itself. */
  tokens: CurrentToken[];
  /** One of each of two products in every order. */
  lines: Array<{ sku: string; quantity: number }>;
  close(): Promise<void>;
}

const priceCents = 1900;
/** Always the same: a catalogue in which each measurement leaves two more would become one of measurements. */
const skus = ["measured-1", "measured-2"];
/** As many as a product may have: more than all measurements order. */
const stock = 1_000_000_000;

/** So many register and log in at the same time: passwords take the user service a while, and it turns away whom it has no time for. */
const atOnce = 8;

/**
 * Registers customers who have never ordered before, and makes the products that they order, if they are not there.
 *
 * @param apart whether each has connections of their own, as people elsewhere would
 */
export async function registerShoppers(
  { urls, credentials }: Outputs,
  count: number,
  { apart = false } = {},
): Promise<Shoppers> {
  const first = new ShopClient(urls.gateway);
  const clients = Array.from({ length: count }, (_, index) =>
    apart && index > 0 ? new ShopClient(urls.gateway) : first,
  );
  const close = async () => {
    await Promise.all([...new Set(clients), first].map((client) => client.close()));
  };
  const limit = pLimit(atOnce);
  const run = randomBytes(6).toString("hex");
  try {
    const admin = await first.login(credentials.shopAdmin);
    for (const sku of skus) {
      const product = { name: "Something to measure with", category: "measurement", priceCents, stock };
      await admin.ask("PUT", `/api/products/${sku}`, { body: product });
    }
    const people = await Promise.all(
      clients.map((client, index) =>
        limit(() =>
          client.register({
            name: `Shopper ${index + 1} of ${run}`,
            email: `shopper-${run}-${index + 1}@example.org`,
            password: randomBytes(12).toString("base64url"),
          }),
        ),
      ),
    );
    return {
      people,
      clients,
      userIds: await Promise.all(people.map((person) => person.id())),
      tokens: people.map((person) => () => person.internalToken()),
      lines: skus.map((sku) => ({ sku, quantity: 1 })),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
