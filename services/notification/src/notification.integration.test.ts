import { randomUUID } from "node:crypto";
import type { DataOf } from "@lab/messaging";
import { createServiceTokens } from "@lab/service-kit";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ServiceProcess } from "../../../tests/servers/service.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";
import { until } from "../../../tests/support/until.ts";
import { forgetUser, isErased } from "./projections.ts";
import { type SunkMail, startWorld, type World } from "./testing/world.ts";

let world: World;
let notification: ServiceProcess;
let userId = 0;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world?.stop());

beforeEach(async () => {
  userId += 1;
  notification = await world.startNotification();
});

afterEach(() => notification.kill());

function addressOf(user = userId): string {
  return `user-${user}@example.org`;
}

async function register(): Promise<void> {
  await world.log.publish("user.registered.v1", { userId, name: "Riya", email: addressOf() });
}

async function known(): Promise<void> {
  await register();
  await until("the user to be known", async () => {
    const [rows] = await world.pool.query<RowDataPacket[]>("SELECT 1 FROM recipients WHERE user_id = ?", [
      userId,
    ]);
    return rows.length === 1;
  });
}

async function place(order: Partial<DataOf<"order.placed.v1">> = {}): Promise<string> {
  const orderId = randomUUID();
  await world.log.publish("order.placed.v1", {
    orderId,
    userId,
    lines: [{ sku: "mug-1", name: "Mug", quantity: 2, priceCents: 2100 }],
    totalCents: 4200,
    placedAt: new Date().toISOString(),
    chain: "async",
    ...order,
  });
  return orderId;
}

async function capture(
  orderId: string,
  chain: "async" | "sync" = "async",
  id: string = randomUUID(),
): Promise<void> {
  await world.log.publish(
    "payment.captured.v1",
    { orderId, userId, amountCents: 4200, chargeId: "ch", chain },
    id,
  );
}

async function refund(orderId: string, reason: string): Promise<void> {
  await world.log.publish("payment.refunded.v1", {
    orderId,
    userId,
    amountCents: 4200,
    refundId: "re",
    reason,
  });
}

/** The mails to the user, once there are so many. */
async function mails(count: number): Promise<SunkMail[]> {
  await until(`${count} mails`, async () => (await world.mailsTo(addressOf())).length >= count);
  const found = await world.mailsTo(addressOf());
  expect(found).toHaveLength(count);
  return found;
}

/** The last part of the Message-IDs, before the host. */
function kindsOf(found: SunkMail[]): (string | undefined)[] {
  return found.map(({ messageId }) => messageId.match(/\.(\w+)@/)?.[1]);
}

async function states(orderId: string): Promise<string[]> {
  const [rows] = await world.pool.query<RowDataPacket[]>("SELECT state FROM mails WHERE order_id = ?", [
    orderId,
  ]);
  return rows.map(({ state }) => state);
}

async function isDue(orderId: string): Promise<void> {
  await until("a mail to be due", async () => (await states(orderId))[0] === "due");
}

async function isSent(orderId: string): Promise<void> {
  await until("the mail to be sent", async () => (await states(orderId))[0] === "sent");
}

test("a paid order: one mail with its lines, and an event that says so", async () => {
  await register();
  const orderId = await place();
  await capture(orderId);
  const [mail] = await mails(1);
  expect(mail).toMatchObject({
    messageId: `<${orderId}.paid@notification.lab>`,
    to: [addressOf()],
    subject: `Your order ${orderId} is paid`,
    doubles: 0,
  });
  expect(mail?.text).toContain("Dear Riya");
  expect(mail?.text).toContain("2 × Mug (mug-1): €42.00");
  await until("the event", () => world.log.ofOrder(orderId, "notification").length === 1);
  expect(world.log.ofOrder(orderId, "notification")).toEqual(["notification.sent.v1"]);
});

test("the same said twice is one mail", async () => {
  await register();
  const orderId = await place();
  await capture(orderId);
  await capture(orderId);
  const next = await place();
  await capture(next);
  const found = await mails(2);
  expect(found.map(({ doubles }) => doubles)).toEqual([0, 0]);
});

test.each<[string, (orderId: string) => Promise<void>, string[]]>([
  [
    "declined",
    (orderId) =>
      world.log.publish("payment.declined.v1", { orderId, userId, amountCents: 4200, reason: "no cover" }),
    ["declined"],
  ],
  [
    "sold out after the charge",
    async (orderId) => {
      await capture(orderId);
      await refund(orderId, "mug-1 is sold out");
    },
    ["paid", "refunded"],
  ],
  [
    "cancelled after the charge",
    async (orderId) => {
      await capture(orderId);
      await world.log.publish("order.cancelled.v1", { orderId, userId, reason: "changed my mind" });
      await refund(orderId, "changed my mind");
    },
    ["paid", "cancelled"],
  ],
  [
    "cancelled before the charge",
    async (orderId) => {
      await world.log.publish("order.cancelled.v1", { orderId, userId, reason: "changed my mind" });
      await world.log.publish("payment.voided.v1", { orderId, userId });
    },
    ["cancelled"],
  ],
])("%s", async (_what, happens, kinds) => {
  await register();
  await happens(await place());
  expect(kindsOf(await mails(kinds.length))).toEqual(kinds);
});

test("a mail to someone who is not known yet is sent as soon as he is, and keeps nobody waiting", async () => {
  const orderId = await place();
  await capture(orderId);
  await isDue(orderId);
  await register();
  expect(kindsOf(await mails(1))).toEqual(["paid"]);
});

test("while the mail server is away mails wait, in order", async () => {
  await register();
  await world.stopSink();
  const orders = [await place(), await place()];
  try {
    for (const orderId of orders) {
      await capture(orderId);
    }
    await isDue(orders[0] as string);
    expect(await states(orders[1] as string)).toEqual([]);
  } finally {
    await world.startSink();
  }
  const found = await mails(2);
  expect(found.map(({ messageId }) => messageId)).toEqual(
    orders.map((orderId) => `<${orderId}.paid@notification.lab>`),
  );
});

test("killed after the server took the mail, and before that was written down: the same mail again", async () => {
  await register();
  const orderId = await place();
  const lost = world.wire.loseNextAnswer();
  await capture(orderId);
  await lost;
  await notification.kill();
  expect(await states(orderId)).toEqual(["due"]);
  notification = await world.startNotification();
  await isSent(orderId);
  expect(await mails(1)).toMatchObject([{ messageId: `<${orderId}.paid@notification.lab>`, doubles: 1 }]);
});

test("an address that the server refuses holds up nobody", async () => {
  await world.log.publish("user.registered.v1", { userId, name: "Riya", email: "no address at all" });
  const orderId = await place();
  await capture(orderId);
  await until("the refusal", async () => (await states(orderId))[0] === "refused");
  expect(notification.logged.join("\n")).not.toContain("no address at all");
});

test("a busy mailbox holds up nobody, gets its mail later, and is named in no log", async () => {
  await known();
  const orderId = await place();
  world.wire.isBusy = true;
  try {
    const next = await place();
    await capture(orderId);
    await capture(next);
    await until("both to have been tried", async () => {
      const [[row]] = await world.pool.query<RowDataPacket[]>(
        "SELECT COUNT(tried_at) AS tried FROM mails WHERE user_id = ?",
        [userId],
      );
      return row?.tried === 2;
    });
    expect(await states(orderId)).toEqual(["due"]);
  } finally {
    world.wire.isBusy = false;
  }
  await mails(2);
  expect(notification.logged.join("\n")).toContain("a mailbox takes no mail for now");
  expect(notification.logged.join("\n")).not.toContain(addressOf());
});

test("what was known of a user before does not replace what is known now", async () => {
  const anHourAgo = new Date(Date.now() - 3_600_000).toISOString();
  const former = { userId, name: "Riya", email: `former-${userId}@example.org` };
  await world.log.publish("user.changed.v1", { userId, name: "Riya", email: addressOf() });
  await world.log.publish("user.changed.v1", former, randomUUID(), anHourAgo);
  await capture(await place());
  await mails(1);
});

test("who asks while a user is erased has to wait, and hears that he is", async () => {
  await known();
  const [erasing, asking] = [await world.pool.getConnection(), await world.pool.getConnection()];
  await erasing.beginTransaction();
  await forgetUser(erasing, userId);
  await asking.beginTransaction();
  const answer = isErased(asking, userId);
  await world.pool.query("SELECT 1");
  await erasing.commit();
  expect(await answer).toBe(true);
  await asking.rollback();
  erasing.release();
  asking.release();
});

test("an erased user is forgotten, and gets no mail any more", async () => {
  await register();
  const orderId = await place();
  await capture(orderId);
  await mails(1);
  await world.log.publish("user.erased.v1", { userId, erasureId: "erasure-1" });
  await refund(orderId, "mug-1 is sold out");
  await register();
  await until("the report", () =>
    world.log.events.some(
      ({ type, data }) => type === "user.data-erased.v1" && data.userId === userId && data.records === 3,
    ),
  );
  // Behind what must not be sent in the same partition.
  const late = await place();
  const last = randomUUID();
  await capture(late, "async", last);
  await until("the last event to be handled", () =>
    notification.logged.some((line) => line.includes(last) && line.includes('"outcome":"done"')),
  );
  await mails(1);
  expect(await states(orderId)).toEqual([]);
  expect(await states(late)).toEqual([]);
});

describe("over HTTP", () => {
  function get(path: string, token?: string): Promise<Response> {
    return fetch(`${notification.url}${path}`, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
  }

  function tell(body: object, caller = "payment-sync", audience = "notification"): Promise<Response> {
    return createServiceTokens({ key: world.serviceTokenKey, name: caller })
      .sign(audience)
      .then((token) =>
        fetch(`${notification.url}/internal/notifications`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      );
  }

  function paid(orderId: string): object {
    const lines = [{ sku: "mug-1", name: "Mug", quantity: 2, priceCents: 2100 }];
    return { kind: "paid", orderId, userId, amountCents: 4200, lines };
  }

  test("people see their own notifications, and administrators everybody's", async () => {
    await register();
    const orderId = await place();
    await capture(orderId);
    await isSent(orderId);
    const own = await get("/api/notifications", world.identities.tokenOf(userId));
    expect(own.status).toBe(200);
    expect(await own.json()).toMatchObject([{ orderId, kind: "paid" }]);
    const path = `/api/notifications?userId=${userId}`;
    expect(await (await get(path, world.identities.tokenOf(999, "admin"))).json()).toHaveLength(1);
    expect((await get(path, world.identities.tokenOf(998))).status).toBe(403);
    expect((await get("/api/notifications", world.identities.tokenOf(998))).status).toBe(200);
    expect((await get("/api/notifications")).status).toBe(401);
  });

  test("the synchronous chain gets its answer when the mail is sent, and no second mail by the event", async () => {
    await known();
    const orderId = randomUUID();
    const answer = await tell(paid(orderId));
    expect(answer.status, await answer.clone().text()).toBe(200);
    expect(await (await tell(paid(orderId))).json()).toEqual({
      messageId: `<${orderId}.paid@notification.lab>`,
      state: "sent",
    });
    await capture(orderId, "sync");
    const next = await place();
    await capture(next);
    const found = await mails(2);
    expect(found[0]?.text).toContain("2 × Mug");
    expect(found.map(({ doubles }) => doubles)).toEqual([0, 0]);
  });

  test("without the mail server it asks for patience", async () => {
    await known();
    const orderId = randomUUID();
    await world.stopSink();
    try {
      const answer = await tell(paid(orderId));
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    } finally {
      await world.startSink();
    }
    expect(await (await tell(paid(orderId))).json()).toMatchObject({ state: "sent" });
    await mails(1);
  });

  test("only payment may ask for mails", async () => {
    expect((await tell(paid(randomUUID()), "order")).status).toBe(403);
    expect((await tell(paid(randomUUID()), "payment", "product")).status).toBe(401);
  });
});

describe("whatever is sent", () => {
  async function run(backendUp: boolean) {
    const document = (await (await fetch(`${notification.url}/openapi.json`)).json()) as ApiDocument;
    const service = await createServiceTokens({ key: world.serviceTokenKey, name: "payment" }).sign(
      "notification",
    );
    const tokens = ["", world.identities.tokenOf(userId), world.identities.tokenOf(999, "admin"), service];
    return fuzz({ origin: notification.url, document, runs: 60, seed: 7, tokens, backendUp });
  }

  test("is answered as the document says, and never with 5xx", async () => {
    const { violations, statuses } = await run(true);
    expect(violations).toEqual([]);
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "403"]));
  });

  test("gets 503 with Retry-After while MySQL is away", async () => {
    await world.mysql.kill();
    try {
      const { violations, statuses } = await run(false);
      expect(violations).toEqual([]);
      expect(statuses["503"]).toBeGreaterThan(0);
      expect((await fetch(`${notification.url}/livez`)).status).toBe(200);
      expect((await fetch(`${notification.url}/readyz`)).status).toBe(503);
    } finally {
      await world.mysql.start();
    }
  });
});
