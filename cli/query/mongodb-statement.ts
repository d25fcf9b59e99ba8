import { EJSON } from "bson";
import JSON5 from "json5";
import { StatementError } from "./session.ts";

/** The methods of a collection that a statement may call, and how many arguments each takes. */
const methods = {
  find: [0, 2],
  findOne: [0, 2],
  countDocuments: [0, 1],
  distinct: [1, 2],
  aggregate: [1, 1],
  insertOne: [1, 1],
  insertMany: [1, 1],
  updateOne: [2, 3],
  updateMany: [2, 3],
  replaceOne: [2, 3],
  deleteOne: [1, 1],
  deleteMany: [1, 1],
} as const satisfies Record<string, [number, number]>;

/** What may follow `find(…)`. */
const modifiers = { sort: [1, 1], limit: [1, 1], skip: [1, 1] } as const satisfies Record<
  string,
  [number, number]
>;

export type Method = keyof typeof methods;
export type Modifier = keyof typeof modifiers;

export interface Call<Name extends string = string> {
  name: Name;
  args: unknown[];
}

/** A statement as data: a database command, or a call of a collection's method. */
export type Statement =
  | { kind: "command"; command: Record<string, unknown> }
  | { kind: "call"; collection: string; call: Call<Method>; modifiers: Array<Call<Modifier>> };

const examples =
  "Write students.find({marks: {$gt: 90}}), perhaps with .sort({…}).limit(10), or a command such as {ping: 1}.";

/**
 * Reads a statement such as `students.find({marks: {$gt: 90}}).limit(3)` or `{ping: 1}`. Arguments are relaxed Extended JSON
 * (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/), in JSON5's spelling. Nothing is ever evaluated.
 *
 * @throws StatementError that says what can't be read
 */
export function parseStatement(text: string): Statement {
  const statement = text.trim().replace(/;$/, "").trim();
  if (statement.startsWith("{")) {
    return { kind: "command", command: values(statement)[0] as Record<string, unknown> };
  }
  const [head, collection] =
    statement.match(/^(?:db\.)?([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*?)(?=\.\w+\s*\()/) ?? [];
  if (head === undefined || collection === undefined) {
    throw new StatementError("This is neither a command nor a call of a collection's method.", examples);
  }
  const calls = callsOf(statement.slice(head.length));
  const [call, ...rest] = calls as [Call, ...Call[]];
  check(call, methods, "a method of collections");
  for (const modifier of rest) {
    check(modifier, modifiers, "something that can follow find(…)");
  }
  if (rest.length > 0 && call.name !== "find") {
    throw new StatementError(`Nothing can follow ${call.name}(…).`, examples);
  }
  return { kind: "call", collection, call: call as Call<Method>, modifiers: rest as Array<Call<Modifier>> };
}

function callsOf(text: string): Call[] {
  const calls: Call[] = [];
  let rest = text;
  while (rest !== "") {
    const [opening, name] = rest.match(/^\s*\.(\w+)\s*\(/) ?? [];
    if (opening === undefined || name === undefined) {
      throw new StatementError(`"${rest.slice(0, 20)}" can't be read.`, examples);
    }
    const end = closing(rest, opening.length);
    calls.push({ name, args: values(rest.slice(opening.length, end)) });
    rest = rest.slice(end + 1).trimEnd();
  }
  return calls;
}

/** The place of the bracket that closes the one before `from`; those in texts don't count. */
function closing(text: string, from: number): number {
  let depth = 1;
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const letter = text[at] as string;
    if (quote !== "") {
      if (letter === "\\") {
        at++;
      } else if (letter === quote) {
        quote = "";
      }
    } else if (letter === '"' || letter === "'") {
      quote = letter;
    } else if (letter === "(") {
      depth++;
    } else if (letter === ")" && --depth === 0) {
      return at;
    }
  }
  throw new StatementError("A bracket or a quote is left open.", examples);
}

function values(text: string): unknown[] {
  try {
    return EJSON.deserialize(JSON5.parse(`[${text}]`), { relaxed: true }) as unknown[];
  } catch (error) {
    throw new StatementError(`${text.trim()} is not Extended JSON: ${(error as Error).message}`, examples);
  }
}

function check({ name, args }: Call, known: Record<string, readonly [number, number]>, what: string): void {
  const limits = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!limits) {
    throw new StatementError(`${name} is not ${what} here: ${Object.keys(known).join(", ")}.`, examples);
  }
  if (args.length < limits[0] || args.length > limits[1]) {
    throw new StatementError(
      `${name} takes ${limits[0]} to ${limits[1]} arguments, not ${args.length}.`,
      examples,
    );
  }
}
