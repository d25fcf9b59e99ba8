import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataOf } from "@lab/messaging";
import { connectMysql, migrateMysql } from "@lab/mysql";
import type { Pool } from "mysql2/promise";
import { type Identities, startIdentities } from "../../../../tests/servers/identities.ts";
import { type MysqlServer, startMysql } from "../../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../../tests/servers/nats.ts";
import { type ServiceProcess, startService } from "../../../../tests/servers/service.ts";
import { EventLog } from "../../../../tests/support/event-log.ts";
import { silentLog } from "../../../../tests/support/silent-log.ts";
import { migrations } from "../migrations.ts";
import { findPayment, type PaymentRow } from "../payments.ts";

/** A line of the provider's ledger. */
export interface LedgerEntry {
  seq: number;
  kind: "charge" | "refund" | "decline";
  reference: string;
  amountCents: number;
  idempotencyKey: string | null;
}

/** What the payment service has around it: real servers, a real provider, and the events that it publishes. */
export interface World {
  mysql: MysqlServer;
  nats: NatsServer;
  identities: Identities;
  pool: Pool;
  log: EventLog;
  /** The provider, which can be stopped and started again on the same port and ledger. */
  provider: { current: ServiceProcess; restart(): Promise<void> };
  serviceTokenKey: string;
  startPayment(environment?: Record<string, string>): Promise<ServiceProcess>;
  /** How the provider is to behave: `{ latencyMs, failureRate, lostAnswerRate }`, well by default. */
  behave(settings: object): Promise<void>;
  /** The provider's own lines about an order. */
  ledgerOf(orderId: string): Promise<LedgerEntry[]>;
  paymentOf(orderId: string): Promise<PaymentRow | undefined>;
  stop(): Promise<void>;
}

const apiKey = "key-of-the-tests-0123456789";
/** The provider declines what is above. */
export const limitCents = 50_000;

/** Starts it, but not the payment service itself. */
export async function startWorld(...otherDatabases: string[]): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "lab payment "));
  const [mysql, nats, identities] = await Promise.all([
    startMysql("payment", ...otherDatabases),
    startNats(),
    startIdentities(),
  ]);
  const startProvider = (port = 0) =>
    startService("payment-provider", {
      PORT: String(port),
      DATA_DIR: join(folder, "provider"),
      PROVIDER_API_KEY: apiKey,
      PROVIDER_DECLINE_ABOVE_CENTS: String(limitCents),
    });
  const provider = {
    current: await startProvider(),
    async restart() {
      provider.current = await startProvider(provider.current.port);
    },
  };
  const pool = connectMysql(mysql.environmentOf("payment"));
  await migrateMysql(pool, silentLog, migrations);
  const log = new EventLog(nats);
  const serviceTokenKey = randomUUID();

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${provider.current.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    });

  return {
    mysql,
    nats,
    identities,
    pool,
    log,
    provider,
    serviceTokenKey,
    startPayment: (environment = {}) =>
      startService("payment", {
        ...stringsOf(mysql.environmentOf("payment")),
        ...nats.environmentOf("operator"),
        ...identities.environment,
        SERVICE_TOKEN_KEY: serviceTokenKey,
        CONSUL_URL: "http://127.0.0.1:1",
        NOTIFICATION_SERVICE: "notification",
        PROVIDER_URL: provider.current.url,
        PROVIDER_API_KEY: apiKey,
        PROVIDER_TIMEOUT_MS: "1000",
        RECONCILE_INTERVAL_MS: "100",
        ...environment,
      }),
    async behave(settings) {
      const answer = await ask("/v1/behaviour", { method: "PUT", body: JSON.stringify(settings) });
      if (!answer.ok) {
        throw new Error(await answer.text());
      }
    },
    async ledgerOf(orderId) {
      const entries: LedgerEntry[] = [];
      for (let page: LedgerEntry[] | undefined; page === undefined || page.length > 0; ) {
        const answer = await ask(`/v1/ledger?after=${entries.at(-1)?.seq ?? 0}`);
        page = ((await answer.json()) as { entries: LedgerEntry[] }).entries;
        entries.push(...page);
      }
      return entries.filter(({ reference }) => reference === orderId);
    },
    paymentOf: (orderId) => findPayment(pool, orderId),
    async stop() {
      await log.close();
      await pool.end();
      identities.stop();
      await Promise.all([provider.current.kill(), mysql.stop(), nats.stop()]);
      await rm(folder, { recursive: true });
    },
  };
}

/** An order as its event tells of it. */
export function orderOf(
  userId: number,
  order: Partial<DataOf<"order.placed.v1">> = {},
): DataOf<"order.placed.v1"> {
  const totalCents = order.totalCents ?? 4200;
  return {
    orderId: randomUUID(),
    userId,
    lines: [{ sku: "mug-1", name: "Mug", quantity: 1, priceCents: totalCents }],
    totalCents,
    placedAt: new Date().toISOString(),
    chain: "async",
    ...order,
  };
}

/** Variables of a process are texts. */
export function stringsOf(environment: object): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]));
}
