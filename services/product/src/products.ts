import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import type { Db } from "mongodb";
import { FilterError, filterOf } from "./filter.ts";

/** A key that MongoDB would read as an operator or a path has no place in a document. */
const attributeName = z.string().regex(/^[A-Za-z_][\w-]{0,63}$/);

/** What every product has; beside it each has fields of its own. */
const productInput = z
  .object({
    name: z.string().trim().min(1).max(200),
    category: z.string().trim().min(1).max(60),
    priceCents: z.number().int().min(0),
  })
  .catchall(z.unknown())
  .refine((product) => Object.keys(product).every((name) => attributeName.safeParse(name).success), {
    error: "names of fields are letters, digits, _ and -",
  })
  .openapi("ProductInput", {
    example: {
      name: "Rain jacket",
      category: "clothing",
      priceCents: 7900,
      sizes: ["S", "M"],
      waterproof: true,
    },
  });

const product = z
  .object({ sku: z.string(), name: z.string(), category: z.string(), priceCents: z.number() })
  .loose()
  .openapi("Product");

type Product = z.infer<typeof product>;

/** A product as MongoDB keeps it: found by its SKU. */
interface ProductDocument extends Record<string, unknown> {
  _id: string;
}

const bySku = z.object({
  sku: z
    .string()
    .regex(/^[A-Za-z0-9][\w-]{0,39}$/)
    .openapi({ example: "jacket-1" }),
});

/** Products: each document has the fields that its product needs. */
export function productRoutes(app: OpenAPIHono<AppEnvironment>, database: Db): void {
  const products = database.collection<ProductDocument>("products");

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/products",
      summary: "Products; any field is a filter: ?category=shoes&size=42",
      request: {
        query: z
          .object({ limit: z.coerce.number().int().min(1).max(500).default(100), sku: z.string().optional() })
          .catchall(z.string()),
      },
      responses: reply(200, "Documents of different shapes", z.array(product)),
    }),
    async (c) => {
      const { limit, sku, ...fields } = c.req.valid("query");
      try {
        const filter = { ...filterOf<ProductDocument>(fields), ...(sku !== undefined && { _id: sku }) };
        const found = await products.find(filter).sort({ _id: 1 }).limit(limit).toArray();
        return c.json(found.map(shown), 200);
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
      request: { params: bySku },
      responses: reply(200, "The document", product),
    }),
    async (c) => {
      const { sku } = c.req.valid("param");
      const found = await products.findOne({ _id: sku });
      if (!found) {
        throw new Problem(404, `There is no product ${sku}.`);
      }
      return c.json(shown(found), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/products/{sku}",
      summary: "Create or replace a product, with any fields",
      request: { params: bySku, body: jsonBody(productInput) },
      responses: reply(200, "The document as stored", product),
    }),
    async (c) => {
      const { sku } = c.req.valid("param");
      const { _id, sku: _sku, ...fields } = c.req.valid("json") as Record<string, unknown>;
      await products.replaceOne({ _id: sku }, fields, { upsert: true });
      return c.json(shown({ _id: sku, ...fields }), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/api/products/{sku}",
      summary: "Remove a product",
      request: { params: bySku },
      responses: { 204: { description: "There is no such product any more" } },
    }),
    async (c) => {
      await products.deleteOne({ _id: c.req.valid("param").sku });
      return c.body(null, 204);
    },
  );
}

function shown({ _id, ...fields }: ProductDocument): Product {
  return { sku: _id, ...fields } as Product;
}
