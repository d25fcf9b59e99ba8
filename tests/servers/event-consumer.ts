import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connectMessaging } from "../../packages/messaging/src/index.ts";
import { createLogger } from "../../packages/service-kit/src/index.ts";

/**
 * A service that only handles events, as a process of its own: `HANDLE_MS` for each, and every tenth one fails once in each
 * process because something is away. It appends to `JOURNAL` when it begins and when it is done, a JSON object a line.
 */
const {
  NATS_URL = "",
  NATS_USER = "",
  NATS_PASSWORD = "",
  JOURNAL = "",
  HANDLE_MS,
  ACK_WAIT_MS,
} = process.env;
const log = createLogger({
  SERVICE_NAME: "reader",
  ENVIRONMENT: "test",
  INSTANCE_ID: String(process.pid),
  LOG_LEVEL: "info",
});
const messaging = connectMessaging({
  environment: { NATS_URL, NATS_USER, NATS_PASSWORD },
  name: "reader",
  log,
});
const failed = new Set<string>();

messaging.consume({
  name: "reader",
  ackWaitMs: Number(ACK_WAIT_MS),
  isTransient: (error) => (error as Error).message === "away",
  handlers: {
    async "order.confirmed.v1"({ key, data }) {
      note("begin", key, data.orderId);
      await delay(Number(HANDLE_MS));
      if (Number(data.orderId) % 10 === 0 && !failed.has(data.orderId)) {
        failed.add(data.orderId);
        note("fail", key, data.orderId);
        throw new Error("away");
      }
      note("done", key, data.orderId);
    },
  },
});

process.once("SIGTERM", () => void messaging.close());

function note(what: string, key: string, orderId: string): void {
  appendFileSync(JOURNAL, `${JSON.stringify({ what, key, orderId, pid: process.pid, atMs: Date.now() })}\n`);
}
