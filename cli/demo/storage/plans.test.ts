import { expect, test } from "vitest";
import { cassandraPlan, mariadbPlan, mongodbPlan, neo4jPlan } from "./plans.ts";

test("MariaDB: each table with how it is read, and what is done besides", () => {
  expect(
    mariadbPlan({
      query_block: {
        filesort: {
          temporary_table: {
            nested_loop: [
              { table: { table_name: "people", access_type: "ALL", r_loops: 1, r_rows: 2000 } },
              {
                table: {
                  table_name: "orders",
                  access_type: "ref",
                  key: "by_person",
                  r_loops: 2000,
                  r_rows: 2.4775,
                },
              },
            ],
          },
        },
      },
    }),
  ).toEqual([
    "sorts",
    "keeps a temporary table",
    "people: whole, 2000 rows",
    "orders: ref by_person, 2000 × 2.5 rows",
  ]);
});

test("MariaDB: a row that is found by its key, and a recursion", () => {
  expect(mariadbPlan({ table: { table_name: "people", access_type: "const", key: "PRIMARY" } })).toEqual([
    "people: const PRIMARY, 1 row",
  ]);
  expect(
    mariadbPlan({
      table: {
        table_name: "<derived2>",
        access_type: "ALL",
        r_loops: 1,
        r_rows: 12,
        materialized: {
          query_block: {
            recursive_union: {
              table_name: "<union2,3>",
              query_specifications: [
                { query_block: { table: { message: "No tables used" } } },
                {
                  query_block: {
                    table: {
                      table_name: "friends",
                      access_type: "ref",
                      key: "PRIMARY",
                      r_loops: 3,
                      r_rows: 4,
                    },
                  },
                },
              ],
            },
          },
        },
      },
    }),
  ).toEqual([
    "<derived2>: whole, 12 rows",
    "repeats with what it has found, until there is nothing new:",
    "friends: ref PRIMARY, 3 × 4 rows",
  ]);
});

test("Neo4j: what reads from the store, in the order of work", () => {
  const seek = {
    operatorType: "NodeUniqueIndexSeek@neo4j",
    arguments: { Details: "UNIQUE a:Person(id)" },
    dbHits: 2,
    rows: 1,
    children: [],
  };
  const result = {
    operatorType: "ProduceResults@neo4j",
    arguments: {},
    dbHits: 0,
    rows: 1,
    children: [seek],
  };
  expect(neo4jPlan(result)).toEqual(["NodeUniqueIndexSeek UNIQUE a:Person(id): 1 rows, 2 accesses"]);
});

test("FerretDB: whether SQLite looks for the document, or gives all", () => {
  const queryPlanner = { Plan: ["id=2 parent=0 notused=0 detail=SCAN orders_ea0c329e"] };
  expect(mongodbPlan({ queryPlanner, filterPushdown: true })).toEqual([
    "SQLite looks the _id up by its index",
  ]);
  expect(mongodbPlan({ queryPlanner, filterPushdown: false })).toEqual([
    "SQLite reads every document, FerretDB filters",
  ]);
});

test("mongod: its stages, the first one first, in both forms of the answer", () => {
  const winningPlan = { stage: "FETCH", inputStage: { stage: "IXSCAN", indexName: "category_1" } };
  expect(mongodbPlan({ queryPlanner: { winningPlan } })).toEqual(["IXSCAN category_1", "FETCH"]);
  expect(mongodbPlan({ queryPlanner: { winningPlan: { queryPlan: winningPlan } } })).toEqual([
    "IXSCAN category_1",
    "FETCH",
  ]);
});

test("Cassandra: what was read, without the look-up of the role", () => {
  expect(
    cassandraPlan([
      "Parsing SELECT …",
      "Executing single-partition query on roles",
      "Read 1 live rows and 0 tombstone cells",
      "Executing single-partition query on counts",
      "Merged data from memtables and 0 sstables",
      "Read 6 live rows and 0 tombstone cells",
    ]),
  ).toEqual(["Executing single-partition query on counts", "Read 6 live rows and 0 tombstone cells"]);
});
