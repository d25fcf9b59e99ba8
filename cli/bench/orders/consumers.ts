import { setTimeout as delay } from "node:timers/promises";
import { type ConsumerInfo, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Outputs } from "../../outputs.ts";

const stream = "SHOP";

/** After that NATS resumes them by itself, if the command was killed. */
const pausedForMs = 10 * 60 * 1000;

const pollMs = 500;

/** Runs something while no service gets events: they wait in their stream. */
export function whileConsumersPause<T>(outputs: Outputs, run: () => Promise<T>): Promise<T> {
  return withManager(outputs, async (manager) => {
    const names = (await consumersOf(manager)).map(({ name }) => name);
    try {
      for (const name of names) {
        await manager.consumers.pause(stream, name, new Date(Date.now() + pausedForMs));
      }
      return await run();
    } finally {
      for (const name of names) {
        await manager.consumers.resume(stream, name);
      }
    }
  });
}

/**
 * Waits until the services have handled all events that there are.
 *
 * @param onWait told once, if there is something to wait for, with how many are to be delivered yet
 */
export function untilConsumersIdle(
  outputs: Outputs,
  onWait: (pending: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return withManager(outputs, async (manager) => {
    let isTold = false;
    for (;;) {
      const consumers = await consumersOf(manager);
      const pending = consumers.reduce(
        (sum, consumer) => sum + consumer.num_pending + consumer.num_ack_pending,
        0,
      );
      if (pending === 0) {
        return;
      }
      if (!isTold) {
        onWait(pending);
        isTold = true;
      }
      await delay(pollMs, undefined, { signal });
    }
  });
}

async function withManager<T>(
  { urls, credentials }: Outputs,
  run: (manager: JetStreamManager) => Promise<T>,
): Promise<T> {
  const { user, password: pass } = credentials.nats;
  const connection = await connect({ servers: urls.nats, user, pass });
  try {
    return await run(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

async function consumersOf(manager: JetStreamManager): Promise<ConsumerInfo[]> {
  const consumers: ConsumerInfo[] = [];
  for await (const consumer of manager.consumers.list(stream)) {
    consumers.push(consumer);
  }
  return consumers;
}
