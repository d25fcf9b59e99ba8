import { z } from "zod";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

/** `GET /api/products/{sku}`: each `{name}` stands for one segment of the path. */
const operation = z
  .string()
  .regex(
    new RegExp(`^(${methods.join("|")}) (/([a-z0-9._~-]+|\\{[a-zA-Z]+\\}))+$`, "i"),
    "must be a method and a path, such as GET /api/products/{sku}",
  );

const route = z
  .strictObject({
    prefix: z.string().regex(/^\/api\/[a-z0-9-]+$/, "must be /api/ and one name"),
    service: z.string().regex(/^[a-z][a-z0-9-]*$/, "must be the name of a service"),
    /** What may be called without a token. */
    public: z.array(operation).default([]),
  })
  .superRefine(({ prefix, public: operations }, context) => {
    for (const [index, text] of operations.entries()) {
      const path = text.slice(text.indexOf(" ") + 1);
      if (path !== prefix && !path.startsWith(`${prefix}/`)) {
        context.addIssue({ code: "custom", path: ["public", index], message: `must begin with ${prefix}` });
      }
    }
  });

const table = z
  .array(route)
  .min(1)
  .superRefine((routes, context) => {
    const prefixes = routes.map(({ prefix }) => prefix);
    for (const [index, prefix] of prefixes.entries()) {
      if (prefixes.indexOf(prefix) !== index) {
        context.addIssue({ code: "custom", path: [index, "prefix"], message: `${prefix} is there twice` });
      }
    }
  });

/** Which service answers which paths: a path belongs to the service whose prefix it begins with. */
export type Route = z.infer<typeof route>;

/** A route table as JSON text, such as `[{"prefix": "/api/users", "service": "user", "public": ["POST /api/users"]}]`. */
export const routesSetting = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "must be JSON" });
      return z.NEVER;
    }
  })
  .pipe(table);

/** A route, ready to be looked up. */
export interface Destination {
  service: string;
  prefix: string;
  /** Whether an operation may be called without a token. */
  isPublic(method: string, path: string): boolean;
}

/** Finds the route of a path in the same time, however many there are. */
export class RouteTable {
  readonly #byName = new Map<string, Destination>();

  constructor(routes: readonly Route[]) {
    for (const { prefix, service, public: operations } of routes) {
      this.#byName.set(prefix.slice("/api/".length), { prefix, service, isPublic: matcher(operations) });
    }
  }

  get destinations(): Destination[] {
    return [...this.#byName.values()];
  }

  /** @returns `undefined` for a path that is nobody's */
  find(path: string): Destination | undefined {
    if (!path.startsWith("/api/")) {
      return undefined;
    }
    const end = path.indexOf("/", "/api/".length);
    return this.#byName.get(path.slice("/api/".length, end < 0 ? undefined : end));
  }
}

/** Also says yes to HEAD where it does to GET (RFC 9110 §9.3.2). */
function matcher(operations: readonly string[]): (method: string, path: string) => boolean {
  const exact = new Set(operations.filter((text) => !text.includes("{")));
  const patterns = operations
    .filter((text) => text.includes("{"))
    .map((text) => new RegExp(`^${text.replaceAll(".", "\\.").replaceAll(/\{[a-zA-Z]+\}/g, "[^/]+")}$`));
  return (method, path) => {
    const text = `${method === "HEAD" ? "GET" : method} ${path}`;
    return exact.has(text) || patterns.some((pattern) => pattern.test(text));
  };
}
