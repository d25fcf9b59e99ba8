import type { z } from "@hono/zod-openapi";
import { problemSchema } from "./problem.ts";

/** The JSON body that an OpenAPI route takes. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  return { required: true, content: { "application/json": { schema } } };
}

const problem = {
  description: "What went wrong",
  content: { "application/problem+json": { schema: problemSchema } },
};

/** The responses of an OpenAPI route: what it gives, and the problems that it may answer with. */
export function reply<S extends z.ZodType, const Status extends number>(
  status: Status,
  description: string,
  schema: S,
) {
  return {
    [status]: { description, content: { "application/json": { schema } } },
    default: problem,
  } as { [K in Status]: { description: string; content: { "application/json": { schema: S } } } } & {
    default: typeof problem;
  };
}

/** The responses of an OpenAPI route that gives nothing: 204, and the problems that it may answer with. */
export function done(description: string) {
  return { 204: { description }, default: problem };
}
