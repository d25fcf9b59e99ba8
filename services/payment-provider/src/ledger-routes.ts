import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, reply } from "@lab/service-kit";
import { withKey } from "./access.ts";
import type { Ledger } from "./ledger.ts";

const entry = z
  .object({
    seq: z.number().int(),
    at: z.string(),
    kind: z.enum(["charge", "refund", "decline"]),
    chargeId: z.string(),
    reference: z.string(),
    amountCents: z.number().int(),
    idempotencyKey: z.string().nullable(),
  })
  .openapi("LedgerEntry");

/** What has really happened, whatever the callers believe. */
export function ledgerRoutes(app: OpenAPIHono<AppEnvironment>, ledger: Ledger): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/ledger",
      summary: "The lines of the ledger, in the order in which they were written",
      ...withKey,
      request: {
        query: z.object({
          after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(
        200,
        "A page of lines; the next begins after the last seq",
        z.object({ entries: z.array(entry) }),
      ),
    }),
    (c) => {
      const { after, limit } = c.req.valid("query");
      return c.json({ entries: ledger.entries(after, limit) }, 200);
    },
  );
}
