import { cql, mongo, redis, sorted, sql } from "../asks.ts";
import { type Ask, question, type Result } from "../question.ts";
import { compare } from "../words.ts";

const byScan: Ask = {
  store: "redis",
  way: "every key",
  statement: `SCAN 0 MATCH demo:person:* COUNT 500   # again with the cursor that it gives, until that is 0
MGET demo:person:… demo:person:…       # what each page names; the client looks into the values`,
  async run({ redis }) {
    const names: string[] = [];
    let cursor = "0";
    let requests = 0;
    do {
      const [next, keys] = await redis.scan(cursor, "MATCH", "demo:person:*", "COUNT", 500);
      const values = keys.length === 0 ? [] : await redis.mget(keys);
      requests += keys.length === 0 ? 1 : 2;
      cursor = next;
      names.push(...namesOf(values.filter((value) => value !== null)));
    } while (cursor !== "0");
    return { answer: sorted(names), requests };
  },
};

const bySet: Ask = {
  store: "redis",
  way: "a set for each city",
  statement: `SMEMBERS demo:city:Pune
MGET demo:person:… demo:person:…   # the members`,
  async run({ redis }) {
    const keys = await redis.smembers("demo:city:Pune");
    const values = await redis.mget(keys);
    return { answer: sorted(namesOf(values.filter((value) => value !== null))), requests: 2 };
  },
};

function namesOf(values: string[]): string[] {
  return values
    .map((value) => JSON.parse(value) as { name: string; city: string })
    .filter(({ city }) => city === "Pune")
    .map(({ name }) => name);
}

export const keyValue = [
  question({
    model: "key-value",
    side: "best",
    text: "What is the profile of person 1017?",
    asks: {
      key: redis("GET demo:person:1017", (reply) => JSON.parse(reply as string)),
      row: sql("SELECT name, age, city FROM people WHERE id = 1017", ([row]) => ({ ...row })),
      document: mongo('people.findOne({_id: "1017"}, {_id: 0})', ([document]) => document),
      partition: cql("SELECT name, age, city FROM people WHERE id = 1017", ([row]) => ({
        name: row?.name,
        age: row?.age,
        city: row?.city,
      })),
    },
    lesson: ({ key, row, document, partition }) => {
      const [fastest, ...rest] = [key, row, document, partition].toSorted(
        (one, other) => one.medianMs - other.medianMs,
      ) as [Result, ...Result[]];
      return `Every store finds one thing by its key with one look-up; what differs is what the server does around it. ${rest
        .map((result) => compare(result, fastest))
        .join("; ")}.`;
    },
  }),
  question({
    model: "key-value",
    side: "badly",
    text: "Who lives in Pune?",
    asks: {
      scan: byScan,
      set: bySet,
      index: sql("SELECT name FROM people WHERE city = 'Pune'", (rows) =>
        sorted(rows.map(({ name }) => name)),
      ),
    },
    lesson: ({ scan, set, index }) =>
      `A value can't be asked for: the client walks over all keys in ${scan.requests} requests, or the application keeps an index of its own, which nobody mends when it forgets to. ${compare(scan, index)}; ${compare(set, index)}.`,
  }),
];
