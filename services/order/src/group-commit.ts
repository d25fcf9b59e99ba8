import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate as endOfTurn } from "node:timers/promises";

export interface GroupCommitOptions<T, R> {
  /** Writes some items in one transaction; gives the result of each, in their order. */
  commit(items: T[]): Promise<R[]>;
  /** How many transactions may be under way at once. */
  lanes: number;
  /** How many items a transaction may hold. */
  maxItems: number;
}

interface Waiting<T, R> {
  item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Commits together what comes at the same time, as databases do with their logs: those that come in one turn of the event loop,
 * or while all lanes are busy, share the next transaction. Nobody waits for a timer, and each learns that it is written only
 * when it is.
 */
export class GroupCommit<T, R> {
  readonly #options: GroupCommitOptions<T, R>;
  readonly #waiting: Waiting<T, R>[] = [];
  /** A transaction is not part of the one request that happens to start it. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #busy = 0;

  constructor(options: GroupCommitOptions<T, R>) {
    this.#options = options;
  }

  /** @throws the error of the transaction that the item was in */
  add(item: T): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#waiting.push({ item, resolve, reject });
    if (this.#busy < this.#options.lanes) {
      this.#outside(() => void this.#work());
    }
    return promise;
  }

  async #work(): Promise<void> {
    this.#busy++;
    while (this.#waiting.length > 0) {
      // What else has arrived on the sockets by now is to be in it.
      await endOfTurn();
      const group = this.#waiting.splice(0, this.#options.maxItems);
      if (group.length > 0) {
        await this.#commit(group);
      }
    }
    this.#busy--;
  }

  async #commit(group: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#options.commit(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) {
        resolve(results[index] as R);
      }
    } catch (error) {
      for (const { reject } of group) {
        reject(error);
      }
    }
  }
}
