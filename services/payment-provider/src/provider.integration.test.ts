import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ServiceProcess, startService } from "../../../tests/servers/service.ts";
import { fuzz } from "../../../tests/support/fuzz/check.ts";
import type { ApiDocument } from "../../../tests/support/fuzz/operations.ts";

const key = "key-of-the-tests-0123456789";

interface Entry {
  seq: number;
  kind: string;
  reference: string;
  chargeId: string;
  amountCents: number;
  idempotencyKey: string | null;
}

let folder: string;
let provider: ServiceProcess;
let number = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab provider "));
  provider = await start();
});

afterAll(async () => {
  await provider.kill();
  await rm(folder, { recursive: true });
});

afterEach(() => behave({}));

function start(port = 0): Promise<ServiceProcess> {
  return startService("payment-provider", {
    PORT: String(port),
    DATA_DIR: join(folder, "data"),
    PROVIDER_API_KEY: key,
    PROVIDER_DECLINE_ABOVE_CENTS: "50000",
  });
}

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${provider.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...init.headers },
  });
}

function post(path: string, body: object, idempotencyKey?: string): Promise<Response> {
  return ask(path, {
    method: "POST",
    headers: idempotencyKey ? { "idempotency-key": idempotencyKey } : {},
    body: JSON.stringify(body),
  });
}

async function behave(settings: object): Promise<void> {
  const answer = await ask("/v1/behaviour", { method: "PUT", body: JSON.stringify(settings) });
  expect(answer.status).toBe(200);
}

/** A reference that no other test has. */
function fresh(): string {
  number += 1;
  return `order-${number}`;
}

function charge(reference: string, amountCents = 1000): object {
  return { reference, amountCents, customer: "101" };
}

/** The lines of a reference, from all pages of the ledger. */
async function ledgerOf(reference: string): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const answer = await ask(`/v1/ledger?after=${all.at(-1)?.seq ?? 0}&limit=7`);
    const { entries } = (await answer.json()) as { entries: Entry[] };
    if (entries.length === 0) {
      return all.filter((entry) => entry.reference === reference);
    }
    all.push(...entries);
  }
}

test("nobody gets in without the key", async () => {
  for (const authorization of ["", "Bearer wrong", `bearer ${key}`, `Bearer ${key}x`, `Basic ${key}`]) {
    expect((await ask("/v1/ledger", { headers: { authorization } })).status, authorization).toBe(401);
  }
  expect((await ask("/v1/ledger")).status).toBe(200);
  expect(provider.logged.join("\n")).not.toContain(key);
});

test("the same key charges once, however often and however concurrently it is sent", async () => {
  const reference = fresh();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => post("/v1/charges", charge(reference), reference)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  expect(bodies[0]).toMatchObject({ reference, amountCents: 1000, status: "captured" });
  expect(bodies).toEqual(Array(20).fill(bodies[0]));
  expect(await ledgerOf(reference)).toMatchObject([{ kind: "charge", idempotencyKey: reference }]);
});

test("a key is not taken for another request", async () => {
  const reference = fresh();
  const { id } = (await (await post("/v1/charges", charge(reference), reference)).json()) as { id: string };
  expect((await post("/v1/charges", charge(reference, 1001), reference)).status).toBe(422);
  expect((await post(`/v1/charges/${id}/refunds`, { amountCents: 1000 }, reference)).status).toBe(422);
  expect(await ledgerOf(reference)).toHaveLength(1);
});

test("a reference's charges are given up to a limit, the oldest first", async () => {
  const reference = fresh();
  for (const amountCents of [1, 2, 3]) {
    await post("/v1/charges", charge(reference, amountCents));
  }
  const answer = await ask(`/v1/charges?reference=${reference}&limit=2`);
  expect(await answer.json()).toMatchObject({ charges: [{ amountCents: 1 }, { amountCents: 2 }] });
  expect((await ask(`/v1/charges?reference=${reference}&limit=501`)).status).toBe(400);
});

test("without a key every request charges again, and the reference shows it", async () => {
  const reference = fresh();
  await post("/v1/charges", charge(reference));
  await post("/v1/charges", charge(reference));
  const { charges } = (await (await ask(`/v1/charges?reference=${reference}`)).json()) as {
    charges: object[];
  };
  expect(charges).toMatchObject([{ status: "captured" }, { status: "captured" }]);
});

test("a charge above the limit is declined, and written down as that", async () => {
  const reference = fresh();
  const answer = await post("/v1/charges", charge(reference, 50_001), reference);
  expect(answer.status).toBe(201);
  const declined = (await answer.json()) as { id: string };
  expect(declined).toMatchObject({ status: "declined", reason: expect.stringContaining("50001") });
  expect(await (await post("/v1/charges", charge(reference, 50_001), reference)).json()).toEqual(declined);
  expect((await post(`/v1/charges/${declined.id}/refunds`, { amountCents: 1 })).status).toBe(422);
  expect(await ledgerOf(reference)).toMatchObject([{ kind: "decline" }]);
  await post("/v1/charges", charge(reference, 50_000));
  expect(await ledgerOf(reference)).toMatchObject([{ kind: "decline" }, { kind: "charge" }]);
});

test("no more is given back than was captured, even by refunds at once", async () => {
  const reference = fresh();
  const { id } = (await (await post("/v1/charges", charge(reference))).json()) as { id: string };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => post(`/v1/charges/${id}/refunds`, { amountCents: 300 })),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(7);
  const last = await post(`/v1/charges/${id}/refunds`, { amountCents: 100 }, `${reference}:refund`);
  expect(last.status).toBe(201);
  const again = await post(`/v1/charges/${id}/refunds`, { amountCents: 100 }, `${reference}:refund`);
  expect(await again.json()).toEqual(await last.json());
  const { charges } = (await (await ask(`/v1/charges?reference=${reference}`)).json()) as {
    charges: object[];
  };
  expect(charges).toMatchObject([{ id, refundedCents: 1000 }]);
  expect((await post("/v1/charges/ch_unknown/refunds", { amountCents: 1 })).status).toBe(404);
});

test("a lost answer has charged: the connection ends, and the ledger has it", async () => {
  await behave({ lostAnswerRate: 1 });
  const reference = fresh();
  await expect(post("/v1/charges", charge(reference), reference)).rejects.toThrow("fetch failed");
  expect(provider.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  const found = (await (await ask(`/v1/charges?reference=${reference}`)).json()) as { charges: object[] };
  expect(found.charges).toMatchObject([{ status: "captured" }]);
  await behave({});
  expect(await (await post("/v1/charges", charge(reference), reference)).json()).toMatchObject({
    reference,
    status: "captured",
  });
  expect(await ledgerOf(reference)).toHaveLength(1);
});

test("a failure has not charged", async () => {
  await behave({ failureRate: 1 });
  const reference = fresh();
  const answer = await post("/v1/charges", charge(reference), reference);
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("1");
  expect(await ledgerOf(reference)).toEqual([]);
});

test("latency comes before the charge", async () => {
  await behave({ latencyMs: 400 });
  const startedMs = performance.now();
  expect((await post("/v1/charges", charge(fresh()))).status).toBe(201);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(395);
});

test("the same seed gives the same failures", async () => {
  const run = async (seed: number) => {
    await behave({ failureRate: 0.3, lostAnswerRate: 0.3, seed });
    const outcomes: Array<number | "lost"> = [];
    for (let i = 0; i < 30; i += 1) {
      outcomes.push(
        await post("/v1/charges", charge(fresh())).then(
          ({ status }) => status,
          () => "lost",
        ),
      );
    }
    return outcomes;
  };
  const first = await run(7);
  expect(new Set(first)).toEqual(new Set([201, 503, "lost"]));
  expect(await run(7)).toEqual(first);
  expect(await run(8)).not.toEqual(first);
  expect(await (await ask("/v1/behaviour")).json()).toMatchObject({ failureRate: 0.3, seed: 8 });
  expect((await ask("/v1/behaviour", { method: "PUT", body: '{"failureRate": 2}' })).status).toBe(400);
});

test.each([
  ["with the key", key, 201],
  ["without", "", 401],
])("no input makes it fail, and it answers as its document says: %s", async (_, token, expected) => {
  const document = (await (await ask("/openapi.json")).json()) as ApiDocument;
  const { statuses, violations } = await fuzz({
    origin: provider.url,
    document,
    runs: 40,
    seed: 20_251_028,
    tokens: [token],
    // It would fail as it is told to.
    except: token === "" ? [] : ["PUT /v1/behaviour"],
    backendUp: true,
  });
  expect(violations).toEqual([]);
  expect(statuses[expected]).toBeGreaterThan(0);
});

test("kill -9 in the midst of charges keeps every one that was answered for", async () => {
  for (let round = 0; round < 3; round += 1) {
    const reference = fresh();
    const answered: string[] = [];
    const charging = Array.from({ length: 8 }, async () => {
      for (;;) {
        const { id } = (await (await post("/v1/charges", charge(reference))).json()) as { id: string };
        answered.push(id);
        if (answered.length === 40) {
          await provider.kill();
        }
      }
    });
    await Promise.allSettled(charging);
    expect(answered.length).toBeGreaterThanOrEqual(40);
    provider = await start(provider.port);
    const kept = new Set((await ledgerOf(reference)).map(({ chargeId }) => chargeId));
    expect(answered.filter((id) => !kept.has(id))).toEqual([]);
  }
});

test("SIGTERM leaves one file with everything in it", async () => {
  const reference = fresh();
  await post("/v1/charges", charge(reference));
  expect(await provider.stop()).toBe(0);
  expect(await readdir(join(folder, "data"))).toEqual(["ledger.db"]);
  provider = await start(provider.port);
  expect(await ledgerOf(reference)).toHaveLength(1);
});
