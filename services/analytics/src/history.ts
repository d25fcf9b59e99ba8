import type { ShopEvent } from "@lab/messaging";
import { type Client, types } from "cassandra-driver";
import { dayOf } from "./days.ts";

/** Something that has happened to a user. */
export interface Entry {
  id: string;
  at: Date;
  type: string;
  /** Columns of its own, of which no other row needs to know. */
  attributes: Record<string, string>;
}

/** Where in a history a page begins: after this entry. */
export type Cursor = Pick<Entry, "at" | "id">;

/** What has happened to each user, in the order of time. */
export class History {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Records an entry that comes in the order of its person's events, the same again without doubles; nothing of people who
   * were erased. Says whether it was recorded.
   */
  async record(userId: number, { id, at, type, attributes }: Entry): Promise<boolean> {
    const user = String(userId);
    if (await this.#isErased(user)) {
      return false;
    }
    const day = types.LocalDate.fromString(dayOf(at));
    // The day first: a partition that no day leads to would outlive its person.
    await this.#client.execute("INSERT INTO user_days (user_id, day) VALUES (?, ?)", [user, day]);
    await this.#client.execute(
      "INSERT INTO events (user_id, day, at, id, type, attributes) VALUES (?, ?, ?, ?, ?, ?)",
      [user, day, at, id, type, attributes],
    );
    return true;
  }

  /** As `record`, for an entry that comes at any time: an erasure that has begun meanwhile may have passed it over. */
  async recordAside(userId: number, entry: Entry): Promise<boolean> {
    const isRecorded = await this.record(userId, entry);
    if (isRecorded && (await this.#isErased(String(userId)))) {
      await this.erase(userId);
      return false;
    }
    return isRecorded;
  }

  async #isErased(user: string): Promise<boolean> {
    const found = await this.#client.execute("SELECT user_id FROM erased_users WHERE user_id = ?", [user]);
    return found.rowLength > 0;
  }

  /**
   * The entries of some days, the latest first.
   *
   * @param days the latest first
   */
  async read(userId: number, days: string[], limit: number, after?: Cursor): Promise<Entry[]> {
    const entries: Entry[] = [];
    const lastDay = after && dayOf(after.at);
    for (const day of days) {
      if (lastDay !== undefined && day > lastDay) {
        continue;
      }
      const parts: Array<[string, unknown[]]> =
        after && day === lastDay
          ? [
              ["AND at = ? AND id > ?", [after.at, after.id]],
              ["AND at < ?", [after.at]],
            ]
          : [["", []]];
      for (const [condition, values] of parts) {
        if (entries.length < limit) {
          const { rows } = await this.#client.execute(
            `SELECT id, at, type, attributes FROM events WHERE user_id = ? AND day = ? ${condition} LIMIT ?`,
            [String(userId), types.LocalDate.fromString(day), ...values, limit - entries.length],
          );
          entries.push(...rows.map(entryOf));
        }
      }
    }
    return entries;
  }

  /** Removes all that is known of a user, and gives the number of entries that there were. */
  async erase(userId: number): Promise<number> {
    const user = String(userId);
    await this.#client.execute("INSERT INTO erased_users (user_id, at) VALUES (?, ?)", [user, new Date()]);
    let entries = 0;
    const { rows } = await this.#client.execute("SELECT day FROM user_days WHERE user_id = ?", [user], {
      // A day for each of more than a hundred years.
      fetchSize: 50_000,
    });
    for (const { day } of rows) {
      const counted = await this.#client.execute(
        "SELECT COUNT(*) AS recorded FROM events WHERE user_id = ? AND day = ?",
        [user, day],
      );
      entries += Number(counted.first()?.recorded);
      await this.#client.execute("DELETE FROM events WHERE user_id = ? AND day = ?", [user, day]);
    }
    // At the end, so that a start after a crash finds all of them again.
    await this.#client.execute("DELETE FROM user_days WHERE user_id = ?", [user]);
    return entries;
  }
}

/** An event as an entry. Names and emails are not for statistics. */
export function entryFor({ id, time, type, data }: ShopEvent): Entry {
  const {
    userId: _userId,
    name: _name,
    email: _email,
    lines = [],
    ...rest
  } = data as Record<string, unknown>;
  const quantities = (lines as Array<{ sku: string; quantity: number }>).map(
    ({ sku, quantity }) => [`line.${sku}`, String(quantity)] as const,
  );
  const attributes = Object.entries(rest).map(([name, value]) => [name, String(value)] as const);
  return { id, at: new Date(time), type, attributes: Object.fromEntries([...attributes, ...quantities]) };
}

function entryOf({ id, at, type, attributes }: types.Row): Entry {
  return { id, at, type, attributes: attributes ?? {} };
}
