import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import { withKey } from "./access.ts";
import { KeyReusedError, type Ledger, RefundRefusedError } from "./ledger.ts";

/** The most that one charge may be, far above what is declined. */
const amountCents = z.number().int().min(1).max(2_147_483_647).openapi({ example: 7900 });

const reference = z.string().min(1).max(100).openapi({ example: "019a2f2e-8a7f-7c4e-9d5a-6f0b3c1d2e4f" });

const chargeInput = z
  .object({ reference, amountCents, customer: z.string().min(1).max(100).openapi({ example: "101" }) })
  .openapi("ChargeInput");

const charge = z
  .object({
    id: z.string(),
    reference: z.string(),
    amountCents: z.number().int(),
    status: z.enum(["captured", "declined"]),
    reason: z.string().optional(),
  })
  .openapi("Charge");

const refund = z
  .object({
    id: z.string(),
    chargeId: z.string(),
    reference: z.string(),
    amountCents: z.number().int(),
  })
  .openapi("Refund");

const idempotent = z.object({
  "idempotency-key": z
    .string()
    .min(1)
    .max(200)
    .optional()
    .openapi({ description: "The same key charges or refunds once, however often it is sent." }),
});

/**
 * Charges, refunds, and how to find out what one doesn't know.
 *
 * @param declineAboveCents a charge above it is declined
 */
export function chargeRoutes(
  app: OpenAPIHono<AppEnvironment>,
  ledger: Ledger,
  declineAboveCents: number,
): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/charges",
      summary: "Charge a customer; without an Idempotency-Key, each request charges again",
      ...withKey,
      request: { headers: idempotent, body: jsonBody(chargeInput) },
      responses: reply(
        201,
        "The charge, captured or declined; of a repeated key, the one that there is",
        charge,
      ),
    }),
    (c) => {
      const request = c.req.valid("json");
      const decline =
        request.amountCents > declineAboveCents
          ? `${request.amountCents} cents are above the customer's limit.`
          : undefined;
      const key = c.req.valid("header")["idempotency-key"];
      return c.json(
        refusing(() => ledger.charge(request, key, decline)),
        201,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/charges",
      summary: "The charges of a reference, to find out about one whose answer was lost",
      ...withKey,
      request: {
        query: z.object({ reference, limit: z.coerce.number().int().min(1).max(500).default(100) }),
      },
      responses: reply(
        200,
        "The oldest first; more than one that is captured is a double charge",
        z.object({
          charges: z.array(charge.extend({ refundedCents: z.number().int() }).openapi("KnownCharge")),
        }),
      ),
    }),
    (c) => {
      const { reference, limit } = c.req.valid("query");
      return c.json({ charges: ledger.chargesOf(reference, limit) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/charges/{id}/refunds",
      summary: "Give a charge back, or a part of it",
      ...withKey,
      request: {
        params: z.object({ id: z.string().min(1).max(100) }),
        headers: idempotent,
        body: jsonBody(z.object({ amountCents }).openapi("RefundInput")),
      },
      responses: reply(201, "The refund; of a repeated key, the one that there is", refund),
    }),
    (c) => {
      const { id } = c.req.valid("param");
      const key = c.req.valid("header")["idempotency-key"];
      const refund = refusing(() => ledger.refund(id, c.req.valid("json").amountCents, key));
      if (!refund) {
        throw new Problem(404, `There is no charge ${id}.`);
      }
      return c.json(refund, 201);
    },
  );
}

function refusing<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    // Not 409, which reads as "try again": neither will ever be granted.
    const isFinal = error instanceof KeyReusedError || error instanceof RefundRefusedError;
    throw isFinal ? new Problem(422, error.message) : error;
  }
}
