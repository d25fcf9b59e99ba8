import { setTimeout as delay } from "node:timers/promises";
import type { JetStreamManager } from "@nats-io/jetstream";
import { shopStream } from "../../../packages/messaging/src/names.ts";
import { LabError } from "../../errors.ts";
import { readConsumers } from "../../queue/read.ts";
import { reportOf } from "../../queue/report.ts";

/** After that NATS resumes them by itself, if the command was killed. */
const pausedForMs = 10 * 60 * 1000;

/** Runs something while no service gets events: they wait in their stream. */
export async function whileConsumersPause<T>(manager: JetStreamManager, run: () => Promise<T>): Promise<T> {
  const names = (await readConsumers(manager)).map(({ name }) => name);
  try {
    for (const name of names) {
      await manager.consumers.pause(shopStream, name, new Date(Date.now() + pausedForMs));
    }
    return await run();
  } finally {
    for (const name of names) {
      await manager.consumers.resume(shopStream, name);
    }
  }
}

/** How to wait for the services. */
export interface IdleOptions {
  /** Told now and then how many events are to be handled yet, each counted for each service that hears it. */
  onProgress(left: number): void;
  signal: AbortSignal;
  /** How long no event may be handled before the wait is in vain. */
  patienceMs?: number;
  tellEveryMs?: number;
}

const pollMs = 500;

/**
 * Waits until the services have handled all events that there are.
 *
 * @throws LabError that names those that don't get on, AbortError when the signal says so
 */
export async function untilConsumersIdle(
  manager: JetStreamManager,
  { onProgress, signal, patienceMs = 60_000, tellEveryMs = 5000 }: IdleOptions,
): Promise<void> {
  let handled = -1;
  let movedAtMs = Date.now();
  let tellAtMs = Date.now();
  for (;;) {
    const consumers = await readConsumers(manager);
    const busy = reportOf([], consumers).services.filter(
      ({ pending, ackPending }) => pending + ackPending > 0,
    );
    if (busy.length === 0) {
      return;
    }
    // How many are left says little: events come while others are handled.
    const handledNow = consumers.reduce((sum, { ack_floor }) => sum + ack_floor.consumer_seq, 0);
    const nowMs = Date.now();
    if (handledNow !== handled) {
      handled = handledNow;
      movedAtMs = nowMs;
    } else if (nowMs - movedAtMs > patienceMs) {
      throw new LabError(
        "failed",
        "stuck",
        `For ${patienceMs / 1000} s no event was handled, and some wait for ` +
          `${busy.map(({ service, pending, ackPending }) => `${service} (${pending + ackPending})`).join(", ")}.`,
        "./lab queue shows what waits, ./lab status what is unhealthy, ./lab logs <service> why.",
      );
    }
    if (nowMs >= tellAtMs) {
      onProgress(busy.reduce((sum, { pending, ackPending }) => sum + pending + ackPending, 0));
      tellAtMs = nowMs + tellEveryMs;
    }
    await delay(pollMs, undefined, { signal });
  }
}
