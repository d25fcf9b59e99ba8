import pLimit from "p-limit";
import { type Login, type Person, ShopClient } from "../shop-client.ts";
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
  const people = new Map<string, Promise<Person>>();
  const loggedIn = (login: Login) => {
    const person = people.get(login.email) ?? shop.login(login);
    people.set(login.email, person);
    return person;
  };
  try {
    for (const step of steps) {
      await Promise.all(
        step.requests.map(({ path, body, as = administrator }) =>
          limit(async () => (await loggedIn(as)).ask("PUT", path, { body })),
        ),
      );
      done(step);
    }
  } finally {
    await shop.close();
  }
}
