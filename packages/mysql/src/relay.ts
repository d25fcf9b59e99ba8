import type { Messaging } from "@lab/messaging";
import { gauge, type Logger } from "@lab/service-kit";
import type { Pool, PoolConnection, RowDataPacket } from "mysql2/promise";
import { type OutboxRow, readOutbox, removeFromOutbox } from "./outbox.ts";
import { OutboxCursor } from "./outbox-cursor.ts";

export interface RelayOptions {
  pool: Pool;
  messaging: Pick<Messaging, "publish">;
  log: Logger;
}

const batchSize = 500;
/** How often to look for rows whose writer has died before it could say so. */
const pollMs = 1000;
/** How long to wait for more after some: one look for many costs the database less than one for each. */
const lingerMs = 10;
/** How long to wait for a number that was passed over: longer than a transaction takes after it has written its events. */
const patienceMs = 5000;
/** How long one waits for another that publishes, before it asks again. */
const lockSeconds = 1;
const firstRetryMs = 50;
const maxRetryMs = 1000;

const relays = new Set<OutboxRelay>();

gauge("outbox_pending", "Events that are written and not published yet", ["database"], async (metric) => {
  for (const relay of relays) {
    const { database, pending } = await relay.count();
    metric.set({ database }, pending);
  }
});

/**
 * Publishes what is in the outbox, in the order of each key, and removes it once NATS has acknowledged it. Every instance of
 * a service has one; one at a time publishes, which holds a named lock of the database. It holds one of the pool's
 * connections.
 */
export class OutboxRelay {
  readonly #pool: Pool;
  readonly #messaging: Pick<Messaging, "publish">;
  readonly #log: Logger;
  readonly #running: Promise<void>;
  #failures = 0;
  #isClosing = false;
  #isWoken = true;
  #wake: () => void = () => {};

  constructor({ pool, messaging, log }: RelayOptions) {
    this.#pool = pool;
    this.#messaging = messaging;
    this.#log = log;
    this.#running = this.#run();
    relays.add(this);
  }

  /** Says that there may be something to publish: after the commit of a transaction that wrote to the outbox. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** How many events wait to be published. */
  async pending(): Promise<number> {
    return (await this.count()).pending;
  }

  /** How many events wait, and in which database. */
  async count(): Promise<{ database: string; pending: number }> {
    const [[row]] = await this.#pool.query<RowDataPacket[]>(
      "SELECT DATABASE() AS name, COUNT(*) AS pending FROM outbox",
    );
    return { database: String(row?.name), pending: Number(row?.pending) };
  }

  /** Finishes what is being published. The rest stays for another instance, or the next start. */
  async close(): Promise<void> {
    relays.delete(this);
    this.#isClosing = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      let connection: PoolConnection | undefined;
      try {
        connection = await this.#pool.getConnection();
        await this.#relay(connection);
      } catch (error) {
        await this.#failed(error);
      } finally {
        // Ends it, and with it the lock if that is still held.
        connection?.destroy();
      }
    }
  }

  /** Publishes what comes, until this is closed or the connection is lost. */
  async #relay(connection: PoolConnection): Promise<void> {
    let isLost = false;
    const onLost = () => {
      isLost = true;
    };
    connection.once("end", onLost);
    connection.once("error", onLost);
    let cursor = new OutboxCursor(patienceMs);
    while (!this.#isClosing) {
      const isWoken = this.#isWoken;
      if (isWoken || (await hasRows(connection))) {
        // Rows that nobody has spoken of may be anywhere, and so may those that an error has left.
        cursor = isWoken && this.#failures === 0 ? cursor : new OutboxCursor(patienceMs);
        this.#isWoken = false;
        await this.#drain(connection, cursor, () => isLost || this.#isClosing);
      }
      if (!this.#isWoken) {
        await this.#sleep(pollMs, true);
      }
    }
  }

  /** Publishes all that is there, if no other does. */
  async #drain(connection: PoolConnection, cursor: OutboxCursor, isOver: () => boolean): Promise<void> {
    if (!(await takeLock(connection))) {
      // The other may have looked before this one's rows were there.
      this.#isWoken = true;
      return;
    }
    const failure = await this.#publishAll(connection, cursor, isOver);
    await connection.query("DO RELEASE_LOCK(CONCAT(DATABASE(), '.outbox'))");
    if (failure) {
      this.#isWoken = true;
      await this.#failed(failure);
    } else {
      this.#failures = 0;
    }
  }

  /** Publishes until a look finds nothing more. Returns the error of an event that could not be published. */
  async #publishAll(
    connection: PoolConnection,
    cursor: OutboxCursor,
    isOver: () => boolean,
  ): Promise<unknown> {
    let fromStartMs = performance.now();
    while (!isOver()) {
      const nowMs = performance.now();
      const isFromStart = nowMs - fromStartMs > pollMs;
      fromStartMs = isFromStart ? nowMs : fromStartMs;
      const batch = await readOutbox(connection, isFromStart ? 0 : cursor.after(nowMs), batchSize);
      if (batch.length === 0) {
        break;
      }
      cursor.read(
        batch.map(({ id }) => id),
        nowMs,
      );
      const { published, error } = await this.#publish(batch, isOver);
      await removeFromOutbox(connection, published);
      if (error) {
        return error;
      }
      if (batch.length < batchSize) {
        await this.#sleep(lingerMs, false);
      }
    }
    return undefined;
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#failures === 0) {
      this.#log.warn({ err: error }, "events wait in the outbox; trying on");
    }
    this.#failures++;
    await this.#sleep(Math.min(maxRetryMs, firstRetryMs * 2 ** this.#failures), false);
  }

  /** Publishes the keys side by side, and each key's events one after the other: after one that fails, none of its key. */
  async #publish(rows: OutboxRow[], isOver: () => boolean): Promise<{ published: number[]; error: unknown }> {
    const published: number[] = [];
    let error: unknown;
    await Promise.all(
      [...Map.groupBy(rows, ({ event }) => event.key).values()].map(async (ofKey) => {
        for (const { id, event } of ofKey) {
          if (isOver()) {
            return;
          }
          try {
            await this.#messaging.publish(event);
            published.push(id);
          } catch (cause) {
            error = cause;
            return;
          }
        }
      }),
    );
    return { published, error };
  }

  async #sleep(ms: number, isWakeable: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = () => {
      if (isWakeable || this.#isClosing) {
        resolve();
      }
    };
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }
}

async function hasRows(connection: PoolConnection): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>("SELECT 1 FROM outbox LIMIT 1");
  return rows.length > 0;
}

async function takeLock(connection: PoolConnection): Promise<boolean> {
  const [[row]] = await connection.query<RowDataPacket[]>(
    "SELECT GET_LOCK(CONCAT(DATABASE(), '.outbox'), ?) AS taken",
    [lockSeconds],
  );
  return row?.taken === 1;
}
