import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@lab/service-kit";
import type { Pool, RowDataPacket } from "mysql2/promise";

export interface RoundsOptions {
  pool: Pool;
  /** One instance at a time does what has this name, in each database. */
  name: string;
  intervalMs: number;
  log: Logger;
  /** Ends soon after the signal. */
  round(signal: AbortSignal): Promise<void>;
}

/**
 * Does something again and again, for what no event and no request comes for any more. A named lock of the database, on one of
 * the pool's connections, lets one instance do so at a time.
 */
export class Rounds {
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;

  constructor(options: RoundsOptions) {
    this.#finished = this.#run(options);
  }

  /** Ends after what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
  }

  async #run(options: RoundsOptions): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await delay(options.intervalMs, undefined, { signal }).catch(() => undefined);
      try {
        await alone(options, signal);
      } catch (error) {
        options.log.warn({ err: error, name: options.name }, "the rest waits for the next round");
      }
    }
  }
}

async function alone({ pool, name, round }: RoundsOptions, signal: AbortSignal): Promise<void> {
  const lock = await pool.getConnection();
  try {
    const [[row]] = await lock.query<RowDataPacket[]>(
      "SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), 0) AS taken",
      [name],
    );
    if (row?.taken === 1) {
      await round(signal);
    }
  } finally {
    // Ends the connection, and with it the lock.
    lock.destroy();
  }
}
