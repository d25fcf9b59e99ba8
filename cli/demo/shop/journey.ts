import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { LabError } from "../../errors.ts";
import type { Outputs } from "../../outputs.ts";
import { type Caller, type Person, ShopClient, type ShopRequest } from "../../shop-client.ts";
import { newTrace, trailOf, type Visit } from "./trail.ts";

/** A step of the journey, and what it set going. */
export interface Step {
  title: string;
  request: string;
  status: number;
  /** Until the answer was there. */
  answeredMs: number;
  /** What came of it, in a sentence. */
  outcome: string;
  visits: Visit[];
}

/** What `lab demo shop` did. */
export interface ShopJourney {
  steps: Step[];
  mail: Mail;
  erasure: Erasure;
}

export interface Mail {
  messageId: string;
  from: string;
  to: string[];
  subject: string;
  text: string;
}

export interface Erasure {
  userId: number;
  services: Array<{ service: string; records: number; erasedAt: string }>;
  complete: boolean;
}

interface Product {
  sku: string;
  name: string;
  priceCents: number;
}

interface Order {
  orderId: string;
  state: string;
  totalCents: number;
}

/** How long what goes on behind an answer may take. */
const withinMs = 60_000;
const pollMs = 200;

/**
 * Goes through the shop as a person would, and erases that person again, whatever happens.
 *
 * @param signal ends it between two steps
 * @param tell given each step when all that it set going is done
 */
export async function demoShop(
  outputs: Outputs,
  signal: AbortSignal,
  tell: (step: Step) => void,
): Promise<ShopJourney> {
  const shop = new ShopClient(outputs.urls.gateway);
  const guests = new Guests(shop);
  const anonymous = `anon-${randomUUID()}`;
  const steps: Step[] = [];

  /** Sends a request with a trace of its own, waits for what comes of it, and reads its trail. */
  async function step<T>(
    title: string,
    caller: Caller,
    [method, path, options = {}]: ["GET" | "POST" | "PUT" | "DELETE", string, ShopRequest?],
    outcome: (body: T) => string | Promise<string>,
  ): Promise<T> {
    signal.throwIfAborted();
    const { traceId, traceparent } = newTrace();
    const startedMs = performance.now();
    const { status, body } = await caller.send(method, path, {
      ...options,
      headers: { ...options.headers, traceparent },
    });
    const answeredMs = performance.now() - startedMs;
    if (status >= 300) {
      throw refused(`${method} ${path}`, status, body);
    }
    const done: Step = {
      title,
      request: `${method} ${path}`,
      status,
      answeredMs,
      outcome: await outcome(body as T),
      visits: await trailOf(outputs, traceId),
    };
    steps.push(done);
    tell(done);
    return body as T;
  }

  try {
    const [first, second] = await twoProducts(shop);
    const friendsAccount = guests.accountOf("Friend");
    const friend = await shop.register(friendsAccount);
    await friend.ask("POST", "/api/orders", {
      headers: { "idempotency-key": randomUUID() },
      body: { lines: [{ sku: second.sku, quantity: 1 }] },
    });

    const account = guests.accountOf("Visitor");
    await step<{ id: number }>(
      "Registers",
      shop.nobody,
      ["POST", "/api/users", { body: account }],
      ({ id }) => `The account has the number ${id}.`,
    );
    await step<Product>(
      "Browses",
      shop.nobody,
      ["GET", `/api/products/${first.sku}`],
      ({ name, priceCents }) => `${name} costs ${euros(priceCents)}.`,
    );
    await step(
      "Fills a cart, before anybody knows who it is",
      shop.nobody,
      ["PUT", `/api/cart/${anonymous}/items/${first.sku}`, { body: { quantity: 2 } }],
      () => "Whoever knows the cart's number has the cart.",
    );
    await step(
      "Logs in",
      shop.nobody,
      ["POST", "/api/users/login", { body: { email: account.email, password: account.password } }],
      ({ expiresAt }: { expiresAt: string }) =>
        `The token is good until ${expiresAt}; nobody keeps a session.`,
    );
    const person = await shop.login(account);
    const me = await person.id();
    const { items: cart } = await step<{ items: Array<{ sku: string; quantity: number }> }>(
      "Takes the cart along",
      person,
      ["POST", "/api/cart/merge", { body: { from: anonymous } }],
      ({ items }) =>
        `The person's cart holds ${items.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(", ")}.`,
    );
    const { orderId } = await step<Order>(
      "Orders, and pays",
      person,
      [
        "POST",
        "/api/orders",
        {
          headers: { "idempotency-key": randomUUID() },
          body: { lines: cart.map(({ sku, quantity }) => ({ sku, quantity })) },
        },
      ],
      async ({ orderId: placed, totalCents, state }) => {
        const { state: final } = await until("the order to be confirmed", async () => {
          const now = await person.ask<Order>("GET", `/api/orders/${placed}`);
          return now.state === "confirmed" ? now : undefined;
        });
        await mailTo(outputs, account.email);
        return `The order of ${euros(totalCents)} was "${state}" when it was answered, and is "${final}" now.`;
      },
    );
    await step<{ chargeId?: string; state?: string }>(
      "Looks at the payment",
      person,
      ["GET", `/api/payments/${orderId}`],
      ({ state, chargeId }) => `It is ${state}, with the provider's charge ${chargeId}.`,
    );
    await until("analytics to know of the order", async () => {
      const events = await person.ask<unknown[]>("GET", `/api/analytics/users/${me}/events`);
      return JSON.stringify(events).includes(orderId) ? events : undefined;
    });
    await step<Array<{ type: string }>>(
      "Looks at what analytics has noticed",
      person,
      ["GET", `/api/analytics/users/${me}/events`],
      (events) => `Latest first: ${events.map(({ type }) => type).join(", ")}.`,
    );
    const friendId = await friend.id();
    await step(
      "Finds a friend",
      person,
      ["PUT", `/api/social/people/${me}/friends/${friendId}`],
      async () => {
        await friend.ask("PUT", `/api/social/people/${friendId}/friends/${me}`);
        return `(${account.name})-[:FRIEND]->(${friendsAccount.name}), who says the same: only then is more to be seen.`;
      },
    );
    await until("the friend's order to be known", async () => {
      const recommended = await person.ask<unknown[]>("GET", `/api/social/people/${me}/recommendations`);
      return recommended.length > 0 ? recommended : undefined;
    });
    await step<Array<{ sku: string }>>(
      "Asks what friends have bought",
      person,
      ["GET", `/api/social/people/${me}/recommendations`],
      (recommended) => `Recommended: ${recommended.map(({ sku }) => sku).join(", ")}.`,
    );
    const mail = await mailTo(outputs, account.email);
    const { erasureId } = await step<{ erasureId: string }>(
      "Wants to be forgotten",
      person,
      ["DELETE", `/api/users/${me}`],
      async ({ erasureId: id }) => {
        const { services } = await erasureOf(shop, id);
        return `Every service has answered: ${services.map(({ service }) => service).join(", ")}.`;
      },
    );
    const erasure = await erasureOf(shop, erasureId);
    await guests.forget();
    return { steps, mail, erasure };
  } catch (error) {
    // What went wrong matters more than that cleaning up goes wrong as well.
    await guests.forget().catch(() => undefined);
    await shop.nobody.send("DELETE", `/api/cart/${anonymous}`).catch(() => undefined);
    throw error;
  } finally {
    await shop.close();
  }
}

interface Account {
  name: string;
  email: string;
  password: string;
}

/** People of this journey only. */
class Guests {
  readonly #shop: ShopClient;
  readonly #run = randomBytes(4).toString("hex");
  readonly #accounts: Account[] = [];

  constructor(shop: ShopClient) {
    this.#shop = shop;
  }

  /** What someone is going to register with. */
  accountOf(role: string): Account {
    const account = {
      name: `${role} ${this.#run}`,
      email: `${role.toLowerCase()}-${this.#run}@example.org`,
      password: randomBytes(12).toString("base64url"),
    };
    this.#accounts.push(account);
    return account;
  }

  /** Erases those who are there still. */
  async forget(): Promise<void> {
    for (const account of this.#accounts) {
      const person = await this.#logIn(account);
      if (person) {
        const { erasureId } = await person.ask<{ erasureId: string }>(
          "DELETE",
          `/api/users/${await person.id()}`,
        );
        await erasureOf(this.#shop, erasureId);
      }
    }
  }

  async #logIn(account: Account): Promise<Person | undefined> {
    try {
      return await this.#shop.login(account);
    } catch (error) {
      if (error instanceof LabError && error.code === "login-refused") {
        return undefined;
      }
      throw error;
    }
  }
}

async function erasureOf(shop: ShopClient, erasureId: string): Promise<Erasure> {
  return until("everybody to have erased the person", async () => {
    const erasure = await shop.nobody.ask<Erasure>("GET", `/api/users/erasures/${erasureId}`);
    return erasure.complete ? erasure : undefined;
  });
}

/** The newest mail to an address, from the server that it was sent to. */
async function mailTo({ urls }: Outputs, address: string): Promise<Mail> {
  return until("the mail", async () => {
    const { mails } = await read<{ mails: Array<{ seq: number }> }>(
      new URL(`/api/mails?to=${encodeURIComponent(address)}`, urls.mail),
    );
    const newest = mails.at(-1);
    return newest && (await read<Mail>(new URL(`/api/mails/${newest.seq}`, urls.mail)));
  });
}

async function read<T>(url: URL): Promise<T> {
  const { statusCode, body } = await request(url);
  if (statusCode !== 200) {
    throw refused(`GET ${url}`, statusCode, await body.text());
  }
  return (await body.json()) as T;
}

async function twoProducts(shop: ShopClient): Promise<[Product, Product]> {
  const [first, second] = await shop.nobody.ask<Product[]>("GET", "/api/products?limit=2");
  if (!first || !second) {
    throw new LabError("missing", "no-products", "The shop has no products to buy.", "Run ./lab seed first.");
  }
  return [first, second];
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) {
      return found;
    }
    await delay(pollMs);
  }
  throw new LabError(
    "failed",
    "too-late",
    `Waited ${withinMs / 1000} s in vain for ${what}.`,
    "./lab status shows whether all services are healthy; ./lab queue what waits.",
  );
}

function refused(what: string, status: number, body: unknown): LabError {
  return new LabError(
    "failed",
    "refused",
    `${what} answered ${status}: ${JSON.stringify(body)?.slice(0, 300)}`,
    "./lab status shows whether all services are healthy.",
  );
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} EUR`;
}
