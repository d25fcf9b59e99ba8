import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { targets } from "../cli/chaos/schedule.ts";
import { createThrowawayLab, type Outcome, type ThrowawayLab, text } from "./support/throwaway-lab.ts";

interface Report {
  accepted: number;
  paid: number;
  notified: number;
  lost: number;
  chargedTwice: number;
  notifiedTwice: number;
  outOfOrder: number;
  unfinished: number;
  kills: Array<{ target: string; underWay: number }>;
  queued?: { outbox: number; pending: Record<string, number>; charges: number; mails: number };
  refused: string[];
}

const noFault = { lost: 0, chargedTwice: 0, notifiedTwice: 0, outOfOrder: 0, unfinished: 0 };

let lab: ThrowawayLab;

beforeAll(async () => {
  lab = await createThrowawayLab("orders");
  const { exitCode, stderr } = await lab.lab(["up"]);
  expect(exitCode, stderr).toBe(0);
});

afterAll(() => lab?.remove());

async function chaos(...args: string[]): Promise<{ outcome: Outcome; report: Report }> {
  const outcome = await lab.lab(["chaos", "orders", ...args, "--json"]);
  const { data } = JSON.parse(outcome.stdout) as { data?: Report };
  expect(data, outcome.stdout + outcome.stderr).toBeDefined();
  return { outcome, report: data as Report };
}

test("orders wait while payment and notification are down, and are paid and told of once they run", async () => {
  const { outcome, report } = await chaos("--orders", "1000", "--while-down", "payment,notification");
  expect(report).toMatchObject({ accepted: 1000, paid: 1000, notified: 1000, ...noFault });
  expect(report.queued).toMatchObject({ outbox: 0, charges: 0, mails: 0 });
  expect(report.queued?.pending.payment).toBeGreaterThanOrEqual(1000);
  expect(outcome.exitCode).toBe(0);
});

test("while notification alone is down orders are paid, and told of once it runs", async () => {
  const { outcome, report } = await chaos("--orders", "40", "--while-down", "notification");
  expect(report).toMatchObject({ accepted: 40, paid: 40, notified: 40, ...noFault });
  expect(report.queued).toMatchObject({ outbox: 0, mails: 0 });
  expect(report.queued?.pending.notification).toBeGreaterThanOrEqual(40);
  expect(outcome.exitCode).toBe(0);
});

test("kill -9 of everything in turn while orders flow loses, doubles and disorders nothing", async () => {
  const { outcome, report } = await chaos("--orders", "300", "--seed", "1");
  expect(report, JSON.stringify(report)).toMatchObject({
    accepted: 300,
    paid: 300,
    notified: 300,
    ...noFault,
    refused: [],
  });
  expect(report.kills.map(({ target }) => target).sort()).toEqual([...targets].sort());
  expect(report.kills.filter(({ underWay }) => underWay === 0)).toEqual([]);
  expect(outcome.exitCode).toBe(0);
});

test("a consumer that acknowledges before it commits is found out", async () => {
  await acknowledgeFirst();
  const { exitCode, stderr } = await lab.lab(["up"]);
  expect(exitCode, stderr).toBe(0);
  const { outcome, report } = await chaos("--orders", "60", "--targets", "payment", "--patience", "20");
  expect(report.accepted).toBe(60);
  expect(report.lost).toBeGreaterThan(0);
  expect(outcome.exitCode).toBe(4);
});

/** Breaks the payment service of the throw-away checkout: its handlers resolve at once, and do their work a moment later. */
async function acknowledgeFirst(): Promise<void> {
  const file = join(lab.root, "services/payment/src/service.ts");
  const good = await text(file);
  const handlers = "paymentHandlers(desk)";
  expect(good).toContain(`handlers: ${handlers}`);
  await writeFile(
    file,
    `${good.replace(`handlers: ${handlers}`, `handlers: acknowledgingFirst(${handlers})`)}
function acknowledgingFirst(handlers) {
  const late = (handle) => async (event) => {
    setTimeout(() => handle(event).catch(() => {}), 300);
  };
  return Object.fromEntries(Object.entries(handlers).map(([type, handle]) => [type, late(handle)]));
}
`,
  );
}
