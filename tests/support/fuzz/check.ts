import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { default as addFormats } from "ajv-formats";
import fc from "fast-check";
import { type Dispatcher, request } from "undici";
import { type ApiDocument, type Operation, operationsOf, type Schema } from "./operations.ts";
import { type FuzzRequest, requestsFor } from "./requests.ts";

/** An answer that the document, or HTTP, does not allow. */
export interface Violation {
  operation: string;
  why: string;
  request: FuzzRequest;
  status: number;
  body: string;
}

export interface FuzzOptions {
  /** Where the service answers. */
  origin: string;
  document: ApiDocument;
  /** Requests for each operation. */
  runs: number;
  seed: number;
  /** What requests are signed in with, in turn: a token, or what gives one that is good by then; an empty text for nobody. */
  tokens: ReadonlyArray<string | (() => Promise<string>)>;
  /** Operations to leave out, as `METHOD /path`. */
  except?: string[];
  /** Whether the service's backend is there. When not, 503 with `Retry-After` is right, and every other 5xx still wrong. */
  backendUp: boolean;
}

export interface FuzzResult {
  sent: number;
  /** How many answers had which status. */
  statuses: Record<string, number>;
  violations: Violation[];
}

/** Sends generated requests to every operation of a document, and checks each answer against it. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { document, runs, seed, tokens, except = [] } = options;
  const validators = new Validators(document);
  const result: FuzzResult = { sent: 0, statuses: {}, violations: [] };
  for (const operation of operationsOf(document)) {
    const name = `${operation.method} ${operation.path}`;
    if (except.includes(name)) {
      continue;
    }
    for (const [index, item] of fc
      .sample(requestsFor(document, operation), { numRuns: runs, seed })
      .entries()) {
      const source = tokens[index % tokens.length];
      const token = typeof source === "function" ? await source() : source;
      const headers = token ? { ...item.headers, authorization: `Bearer ${token}` } : item.headers;
      const answer = await request(`${options.origin}${item.path}`, {
        method: item.method as Dispatcher.HttpMethod,
        headers,
        body: item.body ?? null,
      });
      const body = await answer.body.text();
      result.sent += 1;
      result.statuses[answer.statusCode] = (result.statuses[answer.statusCode] ?? 0) + 1;
      const why = wrongWith(options, validators, operation, answer, body);
      if (why !== undefined) {
        result.violations.push({
          operation: name,
          why,
          request: item,
          status: answer.statusCode,
          body: body.slice(0, 500),
        });
      }
    }
  }
  return result;
}

function wrongWith(
  { backendUp }: FuzzOptions,
  validators: Validators,
  operation: Operation,
  { statusCode, headers }: Dispatcher.ResponseData,
  body: string,
): string | undefined {
  if (statusCode === 503 && !backendUp) {
    return headers["retry-after"] === undefined ? "503 without Retry-After" : undefined;
  }
  if (statusCode >= 500) {
    return `${statusCode} is a failure of the service`;
  }
  const answers = operation.responses[statusCode] ?? operation.responses.default;
  if (answers === undefined) {
    return `${statusCode} is not in the document`;
  }
  const type = String(headers["content-type"] ?? "").split(";")[0] as string;
  if (Object.keys(answers).length === 0) {
    return body === "" ? undefined : "a body where the document has none";
  }
  if (!(type in answers)) {
    return `the document does not name ${type || "an answer without a type"} for ${statusCode}`;
  }
  const schema = answers[type];
  return schema && type.endsWith("json") ? validators.problemOf(schema, body) : undefined;
}

/** Compiled schemas of one document. */
class Validators {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: false });
  readonly #compiled = new Map<Schema, ValidateFunction>();

  constructor(document: ApiDocument) {
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, "document");
  }

  problemOf(schema: Schema, body: string): string | undefined {
    let validate = this.#compiled.get(schema);
    if (!validate) {
      // References are relative to the whole document.
      validate = this.#ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')));
      this.#compiled.set(schema, validate);
    }
    return validate(JSON.parse(body)) ? undefined : this.#ajv.errorsText(validate.errors);
  }
}
