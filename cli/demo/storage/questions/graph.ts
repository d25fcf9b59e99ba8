import { cypher, sorted, sql } from "../asks.ts";
import { question } from "../question.ts";
import { compare } from "../words.ts";

export const graph = [
  question({
    model: "graph",
    side: "best",
    text: "Over how many friendships does the shortest way from person 1 to person 1999 lead?",
    asks: {
      path: cypher(
        "MATCH way = shortestPath((:DemoPerson {id: 1})-[:FRIEND*..12]->(:DemoPerson {id: 1999})) RETURN length(way) AS steps",
        ([row]) => row?.steps,
      ),
      recursion: sql(
        `WITH RECURSIVE reached (person_id, steps) AS (
  SELECT 1, 0
  UNION
  SELECT friends.friend_id, reached.steps + 1
  FROM reached JOIN friends ON friends.person_id = reached.person_id
  WHERE reached.steps < 12
)
SELECT MIN(steps) AS steps FROM reached WHERE person_id = 1999`,
        ([row]) => Number(row?.steps),
      ),
    },
    lesson: ({ path, recursion }) =>
      `The graph is searched from both ends until they meet; recursion in SQL can't stop at the first hit and goes on to its limit of 12 steps. ${compare(path, recursion)}.`,
  }),
  question({
    model: "graph",
    side: "badly",
    text: "What did all sales of each kind of product come to?",
    asks: {
      all: cypher(
        "MATCH (:DemoPerson)-[bought:BOUGHT]->(product:DemoProduct) RETURN product.category AS category, sum(bought.cents) AS cents",
        (rows) => sorted(rows.map(({ category, cents }) => ({ category, cents }))),
      ),
      groups: sql(
        `SELECT products.category, SUM(order_lines.cents) AS cents
FROM order_lines JOIN products ON products.sku = order_lines.sku
GROUP BY products.category`,
        (rows) => sorted(rows.map(({ category, cents }) => ({ category, cents: Number(cents) }))),
      ),
    },
    lesson: ({ all, groups }) =>
      `Nothing is asked about a path, so that every relationship is read and none is followed further. ${compare(all, groups)}.`,
  }),
];
