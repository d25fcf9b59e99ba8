import { cypher, explain, mongo, sorted, sql } from "../asks.ts";
import { type Ask, question } from "../question.ts";
import { compare } from "../words.ts";

interface Spending {
  city: string;
  category: string;
  cents: number;
}

const joinedByClient: Ask = {
  store: "mongodb",
  way: "joined by the client",
  statement: `people.find({}, {city: 1})
orders.find({}, {person: 1, lines: 1})
// the client adds up the lines by their category and by the city that the person has`,
  async run({ mongodb }) {
    const people = await mongodb
      .collection<{ _id: string; city: string }>("people")
      .find({}, { projection: { city: 1 } })
      .toArray();
    const orders = await mongodb
      .collection<{ person: string; lines: Array<{ category: string; cents: number }> }>("orders")
      .find({}, { projection: { person: 1, lines: 1 } })
      .toArray();
    const cities = new Map(people.map(({ _id, city }) => [_id, city]));
    const sums = new Map<string, Spending>();
    for (const { person, lines } of orders) {
      const city = cities.get(person) as string;
      for (const { category, cents } of lines) {
        const key = `${city} ${category}`;
        sums.set(key, { city, category, cents: cents + (sums.get(key)?.cents ?? 0) });
      }
    }
    return { answer: sorted([...sums.values()]), requests: 2 };
  },
  plan: async ({ mongodb }) => [
    ...(await explain(mongodb, "people", {})),
    ...(await explain(mongodb, "orders", {})),
  ],
};

export const relational = [
  question({
    model: "relational",
    side: "best",
    text: "What did the people of each city spend on each kind of product?",
    asks: {
      join: sql(
        `SELECT people.city, products.category, SUM(order_lines.cents) AS cents
FROM people
JOIN orders ON orders.person_id = people.id
JOIN order_lines ON order_lines.order_id = orders.id
JOIN products ON products.sku = order_lines.sku
GROUP BY people.city, products.category`,
        (rows) => sorted(rows.map(({ city, category, cents }) => ({ city, category, cents: Number(cents) }))),
      ),
      lookup: mongo(
        `orders.aggregate([
  {$unwind: "$lines"},
  {$lookup: {from: "people", localField: "person", foreignField: "_id", as: "buyer"}},
  {$unwind: "$buyer"},
  {$group: {_id: {city: "$buyer.city", category: "$lines.category"}, cents: {$sum: "$lines.cents"}}}
])`,
        (documents) =>
          sorted(documents.map(({ _id, cents }) => ({ ...(_id as Omit<Spending, "cents">), cents }))),
        { way: "$lookup", mayRefuse: true },
      ),
      client: joinedByClient,
    },
    lesson: ({ join, lookup, client }) =>
      `In SQL one statement says what is wanted, and the server finds the way over four tables; ${
        lookup.refused === undefined
          ? `the document store joins as well: ${compare(join, lookup)}`
          : `this document store knows no join, so that a program has to be written, with ${client.requests} queries`
      }. ${compare(join, client)}.`,
  }),
  question({
    model: "relational",
    side: "badly",
    text: "How many people does person 1 reach over at most ten friendships?",
    asks: {
      recursion: sql(
        `WITH RECURSIVE reached (person_id, steps) AS (
  SELECT 1, 0
  UNION
  SELECT friends.friend_id, reached.steps + 1
  FROM reached JOIN friends ON friends.person_id = reached.person_id
  WHERE reached.steps < 10
)
SELECT COUNT(DISTINCT person_id) AS people FROM reached WHERE person_id <> 1`,
        ([row]) => Number(row?.people),
      ),
      path: cypher(
        "MATCH (:DemoPerson {id: 1})-[:FRIEND*1..10]->(other) WHERE other.id <> 1 RETURN count(DISTINCT other) AS people",
        ([row]) => row?.people,
      ),
    },
    lesson: ({ recursion, path }) =>
      `SQL has to spell out how to go from friend to friend, in ${lines(recursion.statement)} lines against ${lines(path.statement)}, and meets the same people again at every depth. ${compare(recursion, path)}.`,
  }),
];

function lines(statement: string): number {
  return statement.split("\n").length;
}
