import type { Logger } from "@lab/service-kit";
import type { Collection, Db } from "mongodb";
import { durable, insertFirst } from "./inserts.ts";
import { Slots } from "./slots.ts";

/** What is to be reserved. */
export interface Wanted {
  /** The same key is the same reservation. */
  key: string;
  sku: string;
  quantity: number;
  /** Whether a person waits for the answer, who is told that it failed where a crash cuts it short. */
  isForPerson?: boolean;
}

/** What has become of a reservation. Each is final for its key, but that a reserved one can be released. */
export interface Outcome {
  state: "reserved" | "sold out" | "released";
  /** How many units the reservation has or had: those that its key was first used for. */
  quantity: number;
}

/** A reservation that was begun. */
interface Begun {
  _id: string;
  sku: string;
  quantity: number;
  at: Date;
  isForPerson?: boolean;
}

/** The one answer that a key has got, whoever was working on it: the units that are its own, or none. */
interface Decision {
  _id: string;
  sku: string;
  slots: number[];
  at: Date;
  /** Units that were claimed for it and are to be given back. */
  surplus?: number[];
}

/** How long something that was cut short is looked for at a start: as long as events are kept. */
const recoverMs = 7 * 86_400_000;

/** How many reservations are looked at together. */
const recoverBatch = 1000;

/** After how long no person waits for a reservation any more. */
export const givenUpMs = 60_000;

/** Stock that is reserved for orders and people, never more than there is. */
export class Stock {
  readonly #begun: Collection<Begun>;
  readonly #decisions: Collection<Decision>;
  readonly #slots: Slots;
  readonly #now: () => number;
  readonly #underWay = new Map<string, Promise<Outcome>>();

  /** @param stockOf how many units of a product there are, those that are reserved included */
  constructor(database: Db, stockOf: (sku: string) => Promise<number>, now: () => number = Date.now) {
    this.#now = now;
    this.#begun = database.collection("stock_reservations", durable);
    this.#decisions = database.collection("stock_decisions", durable);
    this.#slots = new Slots(database, stockOf);
  }

  /**
   * Reserves all the units or none. The same key again gives what it gave before; one that was cut short by a crash is
   * completed by that, or by `recover`.
   */
  reserve(wanted: Wanted): Promise<Outcome> {
    const { key } = wanted;
    let outcome = this.#underWay.get(key);
    if (!outcome) {
      outcome = this.#reserve(wanted).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, outcome);
    }
    return outcome;
  }

  /** Whether a key has ever been used. */
  async knows(key: string): Promise<boolean> {
    return (await this.#begun.findOne({ _id: key })) !== null;
  }

  /** Gives the units of a reservation back. One that is not decided yet gets none. */
  async release({ key, sku }: Pick<Wanted, "key" | "sku">): Promise<void> {
    const decided = await this.#decide({ _id: key, sku, slots: [], at: new Date() });
    await this.#slots.giveBack(sku, decided.slots);
  }

  /**
   * Completes what a crash has cut short: orders get their units, people, who were told that it failed, get none. Others may be
   * at work meanwhile.
   */
  async recover(log: Logger): Promise<void> {
    let completed = 0;
    for await (const { sku, surplus = [] } of this.#decisions.find({ surplus: { $exists: true } })) {
      await this.#slots.giveBack(sku, surplus);
    }
    let batch: Begun[] = [];
    for await (const begun of this.#begun.find({ at: { $gte: new Date(this.#now() - recoverMs) } })) {
      batch.push(begun);
      if (batch.length === recoverBatch) {
        completed += await this.#complete(batch);
        batch = [];
      }
    }
    completed += await this.#complete(batch);
    log.info({ completed }, "reservations are complete");
  }

  /** Decides those that are not decided yet, and says how many these were. */
  async #complete(begun: Begun[]): Promise<number> {
    const keys = { _id: { $in: begun.map(({ _id }) => _id) } };
    const decisions = await this.#decisions.find(keys, { projection: { _id: 1 } }).toArray();
    const decided = new Set(decisions.map(({ _id }) => _id));
    let completed = 0;
    for (const { _id: key, sku, quantity, isForPerson, at } of begun) {
      const isWaitedFor = isForPerson && at.getTime() > this.#now() - givenUpMs;
      if (decided.has(key) || isWaitedFor) {
        continue;
      }
      if (isForPerson) {
        await this.release({ key, sku });
      }
      // Where it is decided against already, this gives back what was claimed.
      await this.reserve({ key, sku, quantity });
      completed += 1;
    }
    return completed;
  }

  async #reserve({ key, sku, quantity, isForPerson }: Wanted): Promise<Outcome> {
    let before: number[] = [];
    const begun = { _id: key, sku, quantity, at: new Date(this.#now()), ...(isForPerson && { isForPerson }) };
    if (!(await insertFirst(this.#begun, begun))) {
      before = await this.#slots.claimedFor(key);
      const decided = await this.#decisions.findOne({ _id: key });
      if (decided) {
        await this.#giveBackSurplus(decided, before);
        return this.#outcome(decided);
      }
    }
    const claimed = [...before, ...(await this.#slots.claim(sku, quantity - before.length, key))];
    const slots = claimed.length < quantity ? [] : claimed.slice(0, quantity);
    const surplus = claimed.slice(slots.length);
    const decision = { _id: key, sku, slots, at: new Date(), ...(surplus.length > 0 && { surplus }) };
    const decided = await this.#decide(decision);
    await this.#giveBackSurplus(decided, claimed);
    if (decided !== decision) {
      return this.#outcome(decided);
    }
    return { state: slots.length > 0 ? "reserved" : "sold out", quantity: slots.length };
  }

  /** The decision that counts: the first. */
  async #decide(decision: Decision): Promise<Decision> {
    if (await insertFirst(this.#decisions, decision)) {
      return decision;
    }
    return (await this.#decisions.findOne({ _id: decision._id })) as Decision;
  }

  /** Gives back what was claimed for a key and is not in its decision. */
  async #giveBackSurplus({ sku, slots }: Decision, claimed: number[]): Promise<void> {
    const own = new Set(slots);
    await this.#slots.giveBack(
      sku,
      claimed.filter((slot) => !own.has(slot)),
    );
  }

  async #outcome({ sku, slots }: Decision): Promise<Outcome> {
    const [first] = slots;
    if (first === undefined) {
      return { state: "sold out", quantity: 0 };
    }
    const isReleased = await this.#slots.isGivenBack(sku, first);
    return { state: isReleased ? "released" : "reserved", quantity: slots.length };
  }
}
