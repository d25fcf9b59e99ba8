import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, done, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import type { Client } from "cassandra-driver";

const byId = z.object({ id: z.coerce.number().int().min(1).max(2_147_483_647).openapi({ example: 1 }) });
const byColumn = byId.extend({
  column: z
    .string()
    .regex(/^[A-Za-z]\w{0,63}$/)
    .openapi({ example: "city" }),
});

const value = z.union([z.string().max(1000), z.number(), z.boolean()]);
const row = z.record(z.string(), value).openapi("Row", { example: { name: "Riya", age: 22, city: "Pune" } });

/** How many columns of a row are shown. */
const maxColumns = 500;

/**
 * Rows whose columns differ from row to row, and grow without `ALTER TABLE`: the table `users` of the notes. Only an
 * administrator writes them, and no event leads here, so that nothing of the shop's people is in them.
 */
export function rowRoutes(app: OpenAPIHono<AppEnvironment>, auth: Auth, client: Client): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/analytics/rows/{id}",
      summary: `All columns of a row, or the first ${maxColumns}: an example that everybody may read, no person of the shop`,
      request: { params: byId },
      responses: reply(200, "Its columns and their values", row),
    }),
    async (c) => c.json(await read(client, c.req.valid("param").id), 200),
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/analytics/rows/{id}/{column}",
      summary: "Set a column of a row, perhaps one that no other row has; for administrators",
      middleware: auth.admin,
      request: { params: byColumn, body: jsonBody(z.object({ value }).openapi("Value")) },
      responses: reply(200, "The row as stored", row),
    }),
    async (c) => {
      const { id, column } = c.req.valid("param");
      await client.execute("INSERT INTO users (id, column_name, value) VALUES (?, ?, ?)", [
        id,
        column,
        String(c.req.valid("json").value),
      ]);
      return c.json(await read(client, id), 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/analytics/rows/{id}/{column}",
      summary: "Take a column from a row; the other rows keep theirs; for administrators",
      middleware: auth.admin,
      request: { params: byColumn },
      responses: done("The row has no such column any more"),
    }),
    async (c) => {
      const { id, column } = c.req.valid("param");
      await client.execute("DELETE FROM users WHERE id = ? AND column_name = ?", [id, column]);
      return c.body(null, 204);
    },
  );
}

async function read(client: Client, id: number): Promise<z.infer<typeof row>> {
  const { rows } = await client.execute("SELECT column_name, value FROM users WHERE id = ? LIMIT ?", [
    id,
    maxColumns,
  ]);
  if (rows.length === 0) {
    throw new Problem(404, `There is no row ${id}.`);
  }
  return Object.fromEntries(rows.map(({ column_name, value }) => [column_name, typed(value)]));
}

/** The table keeps every value as text; numbers and booleans are given back as such. */
export function typed(text: string): string | number | boolean {
  if (text === "true" || text === "false") {
    return text === "true";
  }
  const number = Number(text);
  // Only what a number would be written as: a text such as 007 stays one.
  return Number.isFinite(number) && String(number) === text ? number : text;
}
