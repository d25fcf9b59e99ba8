import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectMysql, migrateMysql } from "@lab/mysql";
import type { Pool } from "mysql2/promise";
import { type Identities, startIdentities } from "../../../../tests/servers/identities.ts";
import { type MysqlServer, startMysql } from "../../../../tests/servers/mysql.ts";
import { type NatsServer, startNats } from "../../../../tests/servers/nats.ts";
import { type ServiceProcess, startService } from "../../../../tests/servers/service.ts";
import { EventLog } from "../../../../tests/support/event-log.ts";
import { silentLog } from "../../../../tests/support/silent-log.ts";
import { migrations } from "../migrations.ts";
import { type SmtpWire, startSmtpWire } from "./smtp-wire.ts";

/** A mail as the sink has it. */
export interface SunkMail {
  seq: number;
  messageId: string;
  to: string[];
  subject: string;
  doubles: number;
  text: string;
}

/** What the notification service has around it: real servers, a real mail sink, and the wire between. */
export interface World {
  mysql: MysqlServer;
  nats: NatsServer;
  identities: Identities;
  pool: Pool;
  log: EventLog;
  wire: SmtpWire;
  serviceTokenKey: string;
  startNotification(): Promise<ServiceProcess>;
  /** The sink goes, and comes back with all its mail. */
  stopSink(): Promise<void>;
  startSink(): Promise<void>;
  /** The mails to an address, in the order in which they came. */
  mailsTo(address: string): Promise<SunkMail[]>;
  stop(): Promise<void>;
}

/** Starts it, but not the notification service itself. */
export async function startWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "lab notification "));
  const [mysql, nats, identities] = await Promise.all([
    startMysql("notification"),
    startNats(),
    startIdentities(),
  ]);
  let smtpPort = 0;
  let sink: ServiceProcess;
  const startSink = async () => {
    sink = await startService("mail", { DATA_DIR: join(folder, "mail"), SMTP_PORT: String(smtpPort) });
    smtpPort = Number(sink.logged.join("\n").match(/"smtpPort":(\d+)/)?.[1]);
  };
  await startSink();
  const wire = await startSmtpWire(smtpPort);
  const pool = connectMysql(mysql.environmentOf("notification"));
  await migrateMysql(pool, silentLog, migrations);
  const log = new EventLog(nats);
  const serviceTokenKey = randomUUID();
  const ask = async (path: string) => (await fetch(`${sink.url}${path}`)).json();

  return {
    mysql,
    nats,
    identities,
    pool,
    log,
    wire,
    serviceTokenKey,
    startSink,
    stopSink: () => sink.kill(),
    startNotification: () =>
      startService("notification", {
        ...Object.fromEntries(
          Object.entries(mysql.environmentOf("notification")).map(([name, value]) => [name, String(value)]),
        ),
        ...nats.environmentOf("operator"),
        ...identities.environment,
        SERVICE_TOKEN_KEY: serviceTokenKey,
        SMTP_HOST: "127.0.0.1",
        SMTP_PORT: String(wire.port),
        MAIL_FROM: "The shop <shop@example.org>",
        RESEND_INTERVAL_MS: "100",
        RESEND_AFTER_MS: "100",
      }),
    async mailsTo(address) {
      const { mails } = (await ask(`/api/mails?to=${encodeURIComponent(address)}`)) as { mails: SunkMail[] };
      return (await Promise.all(mails.map(({ seq }) => ask(`/api/mails/${seq}`)))) as SunkMail[];
    },
    async stop() {
      wire.stop();
      await log.close();
      await pool.end();
      identities.stop();
      await Promise.all([sink.kill(), mysql.stop(), nats.stop()]);
      await rm(folder, { recursive: true });
    },
  };
}
