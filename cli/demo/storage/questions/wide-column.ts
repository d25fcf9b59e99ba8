import { cql, sorted, sql } from "../asks.ts";
import { countNames } from "../data.ts";
import { question } from "../question.ts";
import { compare } from "../words.ts";

/** A row as an object of what it has. */
function entries(rows: Array<Record<string, unknown>>): Record<string, unknown> {
  return ordered(rows.map(({ name, value }) => [name as string, value]));
}

function withoutNulls({ person_id: _, ...row }: Record<string, unknown>): Record<string, unknown> {
  return ordered(Object.entries(row).filter(([, value]) => value !== null));
}

function ordered(pairs: Array<[string, unknown]>): Record<string, unknown> {
  return Object.fromEntries(pairs.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

const peopleOf = (name: string) => (rows: Array<Record<string, unknown>>) =>
  sorted(rows.map((row) => [row[name], row.value ?? row.posts_likes]));

export const wideColumn = [
  question({
    model: "wide-column",
    side: "best",
    text: "What has been counted about person 7?",
    asks: {
      partition: cql("SELECT name, value FROM counts WHERE person = 7", entries),
      nulls: sql("SELECT * FROM counts WHERE person_id = 7 -- the client leaves out what is NULL", ([row]) =>
        withoutNulls(row ?? {}),
      ),
    },
    lesson: ({ partition, nulls }) =>
      `Here a person has ${Object.keys(partition.answer as object).length} entries next to each other; the table has ${countNames.length} columns for everybody, most of them NULL. ${compare(partition, nulls)}.`,
  }),
  question({
    model: "wide-column",
    side: "best",
    text: "Something is counted about person 7 that nobody else has. What has the person now?",
    asks: {
      entry: cql(
        `INSERT INTO counts (person, name, value) VALUES (7, 'quizzes_won', 3);
SELECT name, value FROM counts WHERE person = 7`,
        entries,
        {
          undo: ({ cassandra }) =>
            cassandra.execute("DELETE FROM counts WHERE person = 7 AND name = 'quizzes_won'"),
        },
      ),
      column: sql(
        `ALTER TABLE counts ADD COLUMN quizzes_won INT NULL;
UPDATE counts SET quizzes_won = 3 WHERE person_id = 7;
SELECT * FROM counts WHERE person_id = 7`,
        ([row]) => withoutNulls(row ?? {}),
        { undo: ({ mysql }) => mysql.query("ALTER TABLE counts DROP COLUMN quizzes_won") },
      ),
    },
    lesson: ({ entry, column }) =>
      `In the wide row it is an insert like any other; the table gets a column for all, with a change of the schema, even though the server doesn't rewrite the rows for it. ${compare(entry, column)}.`,
  }),
  question({
    model: "wide-column",
    side: "badly",
    text: "Who has more than 950 likes of posts?",
    asks: {
      refused: cql(
        "SELECT person, value FROM counts WHERE name = 'posts_likes' AND value > 950",
        peopleOf("person"),
        { way: "as it stands", mayRefuse: true },
      ),
      filtering: cql(
        "SELECT person, value FROM counts WHERE name = 'posts_likes' AND value > 950 ALLOW FILTERING",
        peopleOf("person"),
        { way: "ALLOW FILTERING" },
      ),
      table: cql(
        "SELECT person, value FROM counts_by_name WHERE name = 'posts_likes' AND value > 950",
        peopleOf("person"),
        { way: "a table for this question" },
      ),
      index: sql("SELECT person_id, posts_likes FROM counts WHERE posts_likes > 950", peopleOf("person_id")),
    },
    lesson: ({ refused, filtering, table, index }) =>
      `Off the partition key Cassandra ${refused.refused === undefined ? "answers after all" : "refuses, and allowed to filter it reads every partition"}; what it wants is a second table, written along with the first and made for the question. ${compare(filtering, table)}; ${compare(table, index)}.`,
  }),
];
