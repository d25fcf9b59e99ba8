import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Problem } from "./problem.ts";

/** How deep values may lie in each other. Deeper ones exhaust the stack of whoever walks through them. */
const maxDepth = 32;

/**
 * Refuses what no handler is to see: a body of more than `maxBytes` with 413, and with 400 one that is nested too deeply, or has
 * characters that MySQL, Cassandra or Neo4j can't keep in a text: NUL, and half of a surrogate pair (RFC 8259 §8.2 calls those
 * unpredictable).
 */
export function guardBody(maxBytes: number): MiddlewareHandler {
  const tooLarge = () => {
    throw new Problem(413, `The body has more than ${maxBytes} bytes. Send less.`);
  };
  const limitUnknownLength = bodyLimit({ maxSize: maxBytes, onError: tooLarge });
  return async (c, next) => {
    const length = c.req.header("content-length");
    if (length === undefined || c.req.header("transfer-encoding") !== undefined) {
      const check = async () => {
        await refuseBadJson(c);
        await next();
      };
      return c.req.method === "GET" || c.req.method === "HEAD" ? next() : limitUnknownLength(c, check);
    }
    if (Number(length) > maxBytes) {
      tooLarge();
    }
    await refuseBadJson(c);
    return next();
  };
}

/** Refuses a NUL in the path or query with 400. Half surrogate pairs can't be written there. */
export const guardPath: MiddlewareHandler = async (c, next) => {
  if (c.req.url.includes("%00")) {
    throw new Problem(400, "The path or query holds a NUL character (%00). Leave it out.");
  }
  return next();
};

const jsonType = /^application\/([a-z-.]+\+)?json(;|$)/i;
/** What such a character must be written as in JSON; a backslash before it may make it something else. */
const suspicious = /\\u(0000|d[89a-f])/i;

async function refuseBadJson(c: Context): Promise<void> {
  if (!jsonType.test(c.req.header("content-type") ?? "")) {
    return;
  }
  const text = await c.req.text();
  if (isTooDeep(text)) {
    throw new Problem(400, `Values in the body lie more than ${maxDepth} deep in each other. Flatten them.`);
  }
  if (suspicious.test(text) && holdsBadText(text)) {
    throw new Problem(
      400,
      "A text in the body holds a NUL character or half of a surrogate pair. Leave it out.",
    );
  }
}

/** Also of malformed JSON, which is refused later, in better words: the closing quote may be missing, so that no text is read twice. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === "[" || token === "{") {
      depth += 1;
    } else if (token === "]" || token === "}") {
      depth -= 1;
    }
    if (depth > maxDepth) {
      return true;
    }
  }
  return false;
}

function holdsBadText(json: string): boolean {
  let found = false;
  const look = (text: unknown) => {
    found ||= typeof text === "string" && (text.includes("\0") || !text.isWellFormed());
  };
  try {
    JSON.parse(json, (key, value) => {
      look(key);
      look(value);
      return value;
    });
  } catch {
    // Malformed JSON is refused later, in better words.
    return false;
  }
  return found;
}
