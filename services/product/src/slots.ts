import type { Collection, Db } from "mongodb";
import { durable, insertMissing } from "./inserts.ts";

/** A unit that was claimed. */
interface Slot {
  /** `<sku>/<number>`: whoever inserts it has it. */
  _id: string;
  /** What it was claimed for. */
  key: string;
  number: number;
}

/** A unit that was given back. */
interface Return {
  _id: string;
  sku: string;
}

/** Says that all slots before this one were claimed some time ago. */
interface Mark {
  _id: string;
  sku: string;
  number: number;
}

/** What this process knows of a product. It may lag behind, which costs attempts and never a unit too many. */
interface Counter {
  /** All slots before it are claimed, or being claimed. */
  next: number;
  /** How many were given back when it was last counted. */
  returned: number;
  countedAtMs: number;
}

/** How many slots lie between marks. */
const markEvery = 100;
/** How many times in a row a slot may turn out to be taken before the marks are asked where the others are. */
const attemptsBeforeMarks = 16;
/** For how long a count of what was given back elsewhere is good. */
const countMaxAgeMs = 500;

/**
 * The units of products as numbered slots. A slot is claimed by inserting its document, of which a server lets only one in, and
 * never again free: to give it back inserts another document, which makes one more number good. So slot `n` may be claimed
 * while `n < stock + given back`, and never more than `stock` units are out.
 *
 * Nothing is ever updated, deleted or looked for while units are claimed: of all that the embedded stand-in does, only inserts
 * are atomic, and only they take the same time however much is there.
 */
export class Slots {
  readonly #slots: Collection<Slot>;
  readonly #returns: Collection<Return>;
  readonly #marks: Collection<Mark>;
  readonly #stockOf: (sku: string) => Promise<number>;
  readonly #counters = new Map<string, Promise<Counter>>();

  /** @param stockOf how many units of a product there are, those that are out included */
  constructor(database: Db, stockOf: (sku: string) => Promise<number>) {
    this.#slots = database.collection("stock_slots", durable);
    this.#returns = database.collection("stock_returns", durable);
    this.#marks = database.collection("stock_marks", durable);
    this.#stockOf = stockOf;
  }

  /** Claims so many units for a key, and gives the numbers of those that it has got: fewer when there are no more. */
  async claim(sku: string, quantity: number, key: string): Promise<number[]> {
    const claimed: number[] = [];
    for (let attempt = 1; claimed.length < quantity; attempt++) {
      const wanted = quantity - claimed.length;
      const first = await this.#allot(sku, wanted);
      if (first === undefined) {
        break;
      }
      const got = await this.#insert(sku, first, wanted, key);
      claimed.push(...got);
      if (attempt % attemptsBeforeMarks === 0) {
        await this.#catchUp(sku);
      }
    }
    return claimed;
  }

  /** Gives units back; those that were given back already stay so. */
  async giveBack(sku: string, numbers: number[]): Promise<void> {
    await insertMissing(
      this.#returns,
      numbers.map((number) => ({ _id: idOf(sku, number), sku })),
    );
    const counter = await this.#counters.get(sku);
    if (counter) {
      counter.countedAtMs = Number.NEGATIVE_INFINITY;
    }
  }

  async isGivenBack(sku: string, number: number): Promise<boolean> {
    return (await this.#returns.findOne({ _id: idOf(sku, number) })) !== null;
  }

  /** The units that were claimed for a key, the lowest first. Searches: for what was cut short only. */
  async claimedFor(key: string): Promise<number[]> {
    const found = await this.#slots.find({ key }).toArray();
    return found.map(({ number }) => number).sort((one, other) => one - other);
  }

  /** The first of `quantity` numbers that nobody in this process tries but the caller; `undefined` when there are not as many. */
  async #allot(sku: string, quantity: number): Promise<number | undefined> {
    const [stock, counter] = await Promise.all([this.#stockOf(sku), this.#counterOf(sku)]);
    const isShort = () => counter.next + quantity > stock + counter.returned;
    if (isShort() && performance.now() - counter.countedAtMs > countMaxAgeMs) {
      counter.countedAtMs = performance.now();
      const returned = await this.#returns.countDocuments({ sku });
      counter.returned = Math.max(counter.returned, returned);
    }
    if (isShort()) {
      return undefined;
    }
    const first = counter.next;
    counter.next += quantity;
    return first;
  }

  async #insert(sku: string, first: number, quantity: number, key: string): Promise<number[]> {
    const wanted = Array.from({ length: quantity }, (_, index) => {
      const number = first + index;
      return { _id: idOf(sku, number), key, number };
    });
    try {
      const got = await insertMissing(this.#slots, wanted);
      const marks = got.filter(({ number }) => number % markEvery === 0);
      await insertMissing(
        this.#marks,
        marks.map(({ _id, number }) => ({ _id, sku, number })),
      );
      return got.map(({ number }) => number);
    } catch (error) {
      // Nobody knows which of them were claimed: begin anew from what the server knows.
      this.#counters.delete(sku);
      throw error;
    }
  }

  async #catchUp(sku: string): Promise<void> {
    const [counter, next] = await Promise.all([this.#counterOf(sku), this.#lastMark(sku)]);
    counter.next = Math.max(counter.next, next);
  }

  #counterOf(sku: string): Promise<Counter> {
    let counter = this.#counters.get(sku);
    if (!counter) {
      counter = this.#lastMark(sku).then((next) => ({
        next,
        returned: 0,
        countedAtMs: Number.NEGATIVE_INFINITY,
      }));
      this.#counters.set(sku, counter);
      counter.catch(() => this.#counters.delete(sku));
    }
    return counter;
  }

  /** The mark before the last, so that a slot that a killed process left out is found by the next one. */
  async #lastMark(sku: string): Promise<number> {
    const marks = await this.#marks.find({ sku }).sort({ number: -1 }).limit(2).toArray();
    return marks[1]?.number ?? 0;
  }
}

function idOf(sku: string, number: number): string {
  return `${sku}/${number}`;
}
