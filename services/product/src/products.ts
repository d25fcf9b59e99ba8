import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventOf, type Messaging } from "@lab/messaging";
import {
  type AppEnvironment,
  type Auth,
  cacheable,
  done,
  jsonBody,
  Problem,
  reply,
  secured,
} from "@lab/service-kit";
import { bySku, type Catalog, defaultStock, type ProductDocument, stockIn } from "./catalog.ts";
import { limits, problemWith } from "./fields.ts";
import { FilterError, filterOf, maxNameLength } from "./filter.ts";

/** What every product has; beside it each has fields of its own. */
const productInput = z
  .object({
    name: z.string().trim().min(1).max(200),
    category: z.string().trim().min(1).max(60),
    priceCents: z.number().int().min(0).max(10_000_000),
    stock: z
      .number()
      .int()
      .min(0)
      .max(1_000_000_000)
      .default(defaultStock)
      .openapi({ description: "How many there are, those that are reserved included." }),
  })
  .catchall(z.unknown())
  .superRefine((document, context) => {
    const problem = problemWith(document);
    if (problem) {
      context.addIssue({ code: "custom", message: problem });
    }
  })
  .openapi("ProductInput", {
    description: limits,
    example: {
      name: "Rain jacket",
      category: "clothing",
      priceCents: 7900,
      sizes: ["S", "M"],
      waterproof: true,
    },
  });

const product = z
  .object({
    sku: z.string(),
    name: z.string(),
    category: z.string(),
    priceCents: z.number(),
    stock: z.number().int(),
  })
  .loose()
  .openapi("Product");

type Product = z.infer<typeof product>;

/** Asked for again each time, so that a price or a stock is never old; kept for when this service is away. */
const kept = cacheable("public, max-age=0, stale-if-error=300");

/** Products: each document has the fields that its product needs. Everybody reads them, an administrator writes them. */
export function productRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { auth, catalog, messaging, name }: { auth: Auth; catalog: Catalog; messaging: Messaging; name: string },
): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/products",
      middleware: kept,
      summary: "Products; any field is a filter: ?category=shoes&size.eu=42",
      description: `The name of a filter is that of a field, or a path to one, of at most ${maxNameLength} characters.`,
      request: {
        query: z
          .object({
            limit: z.coerce.number().int().min(1).max(500).default(100),
            after: z
              .string()
              .max(40)
              .optional()
              .openapi({ description: "The SKU that the page before ended with." }),
            sku: z.string().max(40).optional(),
          })
          .catchall(z.string()),
      },
      responses: reply(200, "Documents of different shapes, in the order of their SKUs", z.array(product)),
    }),
    async (c) => {
      const { limit, after, sku, ...fields } = c.req.valid("query");
      try {
        const filter = { ...filterOf<ProductDocument>(fields), ...(sku !== undefined && { _id: sku }) };
        return c.json((await catalog.search(filter, { after, limit })).map(shown), 200);
      } catch (error) {
        throw error instanceof FilterError ? new Problem(400, error.message) : error;
      }
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/products/{sku}",
      summary: "A product",
      middleware: [auth.optional, kept] as const,
      request: { params: bySku },
      responses: reply(200, "The document", product),
    }),
    async (c) => {
      const { sku } = c.req.valid("param");
      const found = await catalog.get(sku);
      const userId = c.get("identity")?.userId;
      if (userId !== undefined) {
        // What people look at is good to know, and not worth waiting for.
        const viewed = eventOf("product.viewed.v1", {
          key: String(userId),
          source: name,
          data: { userId, sku },
        });
        messaging
          .publish(viewed)
          .catch((error) => c.get("log").debug({ err: error }, "a view was not published"));
      }
      return c.json(shown(found), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/products/{sku}",
      summary: "Create or replace a product, with any fields; for administrators",
      middleware: auth.admin,
      request: { params: bySku, body: jsonBody(productInput) },
      responses: reply(200, "The document as stored", product),
    }),
    async (c) => {
      const { sku } = c.req.valid("param");
      const { _id, sku: _sku, ...fields } = c.req.valid("json") as Record<string, unknown>;
      await catalog.put(sku, fields);
      return c.json(shown({ _id: sku, ...fields }), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/products/{sku}",
      summary: "Remove a product; for administrators",
      middleware: auth.admin,
      request: { params: bySku },
      responses: done("There is no such product any more"),
    }),
    async (c) => {
      await catalog.remove(c.req.valid("param").sku);
      return c.body(null, 204);
    },
  );
}

function shown(document: ProductDocument): Product {
  const { _id, ...fields } = document;
  return { sku: _id, ...fields, stock: stockIn(document) } as Product;
}
