import { createInterface } from "node:readline/promises";
import { Argument, Command } from "commander";
import { LabError } from "../errors.ts";
import { printResult, say, table } from "../output.ts";
import { type Outputs, outputsOf, type StoreName } from "../outputs.ts";
import { cassandra } from "../query/cassandra.ts";
import { mongodb } from "../query/mongodb.ts";
import { mysql } from "../query/mysql.ts";
import { neo4j } from "../query/neo4j.ts";
import { redis } from "../query/redis.ts";
import { type Answer, type Session, StatementError } from "../query/session.ts";
import { stackOf, wantsJson } from "./options.ts";

const stores: Record<StoreName, (outputs: Outputs) => Promise<Session>> = {
  mysql: ({ credentials }) => mysql(credentials.mysql),
  mongodb: ({ credentials, mongodbServer }) => mongodb(credentials.mongodb, mongodbServer),
  cassandra: ({ credentials }) => cassandra(credentials.cassandra),
  redis: ({ credentials }) => redis(credentials.redis),
  neo4j: ({ credentials }) => neo4j(credentials.neo4j),
};

export function queryCommand(): Command {
  return new Command("query")
    .description("ask a database; without a statement, a prompt")
    .addArgument(new Argument("<store>", "the database").choices(Object.keys(stores)))
    .argument("[statement]", "SQL, CQL, Cypher, a Redis command, or collection.find({…}) of MongoDB")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      `
Examples:
  lab query mysql 'SELECT name FROM Students WHERE marks > 90'
  lab query redis 'GET user:101'
  lab query mongodb 'students.find({hobbies: {$exists: true}})'
  lab query mongodb '{ping: 1}'
  lab query cassandra 'SELECT * FROM users WHERE id = 1'
  lab query neo4j 'MATCH (a:Person {name:"Riya"})-[:FRIEND]->(b) RETURN b.name'`,
    )
    .action(async (store: StoreName, statement: string | undefined, _options, command: Command) => {
      const outputs = await outputsOf(stackOf(command));
      const session = await connect(store, outputs);
      try {
        if (statement === undefined) {
          await prompt(store, session, wantsJson(command));
        } else {
          const answer = await run(session, statement);
          printResult(wantsJson(command), answer, () => describe(answer));
        }
      } finally {
        await session.close();
      }
    });
}

async function connect(store: StoreName, outputs: Outputs): Promise<Session> {
  try {
    return await stores[store](outputs);
  } catch (error) {
    throw new LabError(
      "missing",
      "not-reachable",
      `${store} can't be reached: ${(error as Error).message}`,
      "./lab status shows whether it runs.",
    );
  }
}

async function run(session: Session, statement: string): Promise<Answer> {
  try {
    return await session.run(statement);
  } catch (error) {
    throw new LabError(
      error instanceof StatementError ? "usage" : "failed",
      "statement",
      (error as Error).message,
      error instanceof StatementError ? error.remedy : "Correct the statement and run this again.",
    );
  }
}

async function prompt(store: StoreName, session: Session, json: boolean): Promise<void> {
  const isTerminal = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: isTerminal ? process.stdout : undefined });
  lines.setPrompt(`${store}> `);
  if (isTerminal) {
    say("A statement a line; Ctrl-D ends.");
    lines.prompt();
  }
  for await (const line of lines) {
    if (line.trim() !== "") {
      try {
        const answer = await run(session, line);
        printResult(json, answer, () => describe(answer));
      } catch (error) {
        // A prompt goes on; a script that is piped in should not.
        if (!isTerminal) {
          throw error;
        }
        say((error as Error).message);
      }
    }
    if (isTerminal) {
      lines.prompt();
    }
  }
  lines.close();
}

function describe(answer: Answer): string {
  if ("value" in answer) {
    return typeof answer.value === "string" ? answer.value : JSON.stringify(answer.value, null, 2);
  }
  const { columns, rows } = answer;
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`;
  return columns.length === 0
    ? count
    : `${table(
        columns,
        rows.map((row) => columns.map((column) => cell(row[column]))),
      )}\n${count}`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) {
    return "NULL";
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
