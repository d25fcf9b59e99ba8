import pLimit from "p-limit";
import { type Login, ShopClient } from "../shop-client.ts";
import type { SeedStep } from "./data.ts";

/** How many requests are under way at once. */
const concurrency = 16;

/**
 * Sends the steps one after another through the gateway, as somebody who may write everything.
 *
 * @param done told after each step
 * @throws LabError when the gateway can't be reached, or refuses a request
 */
export async function loadSeed(
  gatewayUrl: string,
  administrator: Login,
  steps: SeedStep[],
  done: (step: SeedStep) => void,
): Promise<void> {
  const shop = new ShopClient(gatewayUrl, { connections: concurrency });
  const limit = pLimit(concurrency);
  try {
    const person = await shop.login(administrator);
    for (const step of steps) {
      await Promise.all(
        step.requests.map(({ path, body }) => limit(() => person.ask("PUT", path, { body }))),
      );
      done(step);
    }
  } finally {
    await shop.close();
  }
}
