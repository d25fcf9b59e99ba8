import type { Instance } from "@lab/discovery";
import { Pool } from "undici";

/** How many connections to one instance there are at most; further requests wait for one. */
const connections = 256;

/** What an instance has attached. */
interface Attachment {
  pool: Pool;
  connectMs: number;
}

/** Kept connections to each instance. */
export class Pools {
  readonly #pools = new Set<Pool>();

  /** The connections to an instance: made at its first request, and anew when another time to connect is given. */
  of(instance: Instance, connectMs: number): Pool {
    const attachment = instance.attachment as Attachment | undefined;
    if (attachment?.connectMs === connectMs) {
      return attachment.pool;
    }
    void this.drop(instance);
    return this.#open(instance, connectMs);
  }

  /** Whether there is any connection to an instance: who waits for one then, waits for others to be done. */
  hasConnection(instance: Instance): boolean {
    const attachment = instance.attachment as Attachment | undefined;
    return attachment !== undefined && attachment.pool.stats.connected > 0;
  }

  /** An instance is no longer listed: its connections end with what is under way on them. */
  async drop(instance: Instance): Promise<void> {
    const attachment = instance.attachment as Attachment | undefined;
    if (attachment) {
      instance.attachment = undefined;
      await attachment.pool.close().catch(() => undefined);
      this.#pools.delete(attachment.pool);
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
    instance.attachment = { pool, connectMs } satisfies Attachment;
    return pool;
  }
}
