import type { Instance } from "@lab/discovery";
import { Pool } from "undici";

/** How many connections to one instance there are at most; further requests wait for one. */
const connections = 256;

/** Kept connections to each instance. */
export class Pools {
  readonly #pools = new Set<Pool>();

  /** The connections to an instance; made at its first request. */
  of(instance: Instance, connectMs: number): Pool {
    return (instance.attachment as Pool | undefined) ?? this.#open(instance, connectMs);
  }

  /** An instance is no longer listed: its connections end with what is under way on them. */
  async drop(instance: Instance): Promise<void> {
    const pool = instance.attachment as Pool | undefined;
    if (pool) {
      instance.attachment = undefined;
      await pool.close();
      this.#pools.delete(pool);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools].map((pool) => pool.destroy()));
  }

  #open(instance: Instance, connectMs: number): Pool {
    const pool = new Pool(instance.endpoint.origin, {
      connections,
      pipelining: 1,
      connect: { timeout: connectMs },
      // Deadlines are watched by `Deadlines`, all with one timer.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#pools.add(pool);
    instance.attachment = pool;
    return pool;
  }
}
