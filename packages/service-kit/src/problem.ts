import { STATUS_CODES } from "node:http";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** An error that a caller is to see as a problem document (RFC 9457). */
export class Problem extends Error {
  override name = "Problem";
  readonly status: ContentfulStatusCode;
  readonly extensions: Record<string, unknown>;

  /**
   * @param detail what happened, to what, and what to do, for the caller's eyes
   * @param extensions further members of the document
   */
  constructor(status: ContentfulStatusCode, detail: string, extensions: Record<string, unknown> = {}) {
    super(detail);
    this.status = status;
    this.extensions = extensions;
  }
}

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: "about:blank" }),
    title: z.string().openapi({ example: "Not Found" }),
    status: z.number().int().openapi({ example: 404 }),
    detail: z.string(),
    traceId: z.string().optional(),
  })
  .openapi("Problem");

/** How the caller is to go on, by status: RFC 6750 §3, RFC 9110 §10.2.3. */
const headersOf: Partial<Record<number, Record<string, string>>> = {
  401: { "www-authenticate": "Bearer" },
  503: { "retry-after": "1" },
};

/** Answers with a problem document. */
export function problemResponse(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  extensions: Record<string, unknown> = {},
): Response {
  return c.body(
    JSON.stringify({
      type: "about:blank",
      title: STATUS_CODES[status],
      status,
      detail,
      traceId: c.get("traceId"),
      ...extensions,
    }),
    status,
    { "content-type": "application/problem+json", ...headersOf[status] },
  );
}
