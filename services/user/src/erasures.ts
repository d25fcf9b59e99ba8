import { createHash, randomUUID } from "node:crypto";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type DataOf, eventOf } from "@lab/messaging";
import { addToOutbox } from "@lab/mysql";
import { type AppEnvironment, type Auth, ownOrAdmin, Problem, reply, secured } from "@lab/service-kit";
import type { Connection, Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { Revocations } from "./revocations.ts";
import { byId, missing, type Write } from "./user.ts";

/** The names of the other services that answer the event `user.erased.v1`, with commas between them. */
export const erasersSetting = z
  .string()
  .regex(/^[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*$/, "must be names of services, with commas between them")
  .transform((text) => text.split(","));

const erasure = z
  .object({
    userId: z.number().int(),
    requestedAt: z.iso.datetime(),
    services: z.array(
      z.object({
        service: z.string(),
        records: z.number().int().openapi({ description: "How many were removed, or lost their person" }),
        erasedAt: z.iso.datetime(),
      }),
    ),
    complete: z.boolean().openapi({ description: "Whether all services have answered that were asked" }),
  })
  .openapi("Erasure");

export interface ErasureOptions {
  pool: Pool;
  write: Write;
  auth: Auth;
  revocations: Pick<Revocations, "endAllOf">;
  erasers: string[];
}

/** Erasing a person everywhere, and what came of it. */
export function erasureRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { pool, write, auth, revocations, erasers }: ErasureOptions,
): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/users/{id}",
      summary: "Erase a user here, and have every other service do so",
      middleware: auth.user,
      request: { params: byId },
      responses: reply(
        202,
        "Where to read what came of it; nobody else knows the id",
        z.object({ erasureId: z.uuid() }).openapi("ErasureRequest"),
      ),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      ownOrAdmin(c, id);
      const erasureId = randomUUID();
      await write(async (connection) => {
        await erase(connection, id, nameOf(erasureId), erasers);
        // Before the commit: afterwards nobody would try again.
        await revocations.endAllOf(id);
      });
      c.header("location", `/api/users/erasures/${erasureId}`);
      return c.json({ erasureId }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users/erasures/{erasureId}",
      summary: "What came of an erasure, for whoever knows its id: the account is gone",
      request: { params: z.object({ erasureId: z.uuid() }) },
      responses: reply(200, "What each service has said", erasure),
    }),
    async (c) => {
      const { erasureId } = c.req.valid("param");
      const [rows] = await pool.execute<RowDataPacket[]>(
        `SELECT e.user_id, e.requested_at, e.erasers, d.service, d.records, d.erased_at
         FROM erasures e JOIN erased_data d ON d.erasure_id = e.id
         WHERE e.id IN (?, ?) ORDER BY d.erased_at, d.service`,
        // Those from before this was so are found by the id itself. A name of today is no UUID, so nobody can ask by it.
        [nameOf(erasureId), erasureId],
      );
      const [first] = rows;
      if (!first) {
        throw new Problem(404, `There is no erasure ${erasureId}.`);
      }
      const services = rows.map(({ service, records, erased_at }) => ({
        service: service as string,
        records: records as number,
        erasedAt: (erased_at as Date).toISOString(),
      }));
      // Of those from before this was noted: who would be asked now.
      const asked: string[] = first.erasers?.split(",") ?? erasers;
      const answered = new Set(services.map(({ service }) => service));
      return c.json(
        {
          userId: first.user_id as number,
          requestedAt: (first.requested_at as Date).toISOString(),
          services,
          complete: asked.every((service) => answered.has(service)),
        },
        200,
      );
    },
  );
}

/** Notes what a service has erased. Its second answer would say that there was nothing left: the first one stays. */
export async function recordErasedData(
  connection: Connection,
  { erasureId, service, records }: DataOf<"user.data-erased.v1">,
): Promise<void> {
  await connection.execute(
    `INSERT INTO erased_data (erasure_id, service, records) VALUES (?, ?, ?)
     ON DUPLICATE KEY UPDATE records = records`,
    [erasureId, service, records],
  );
}

/** What the table and the events call an erasure: whoever reads them can't read the report, which wants the id. */
function nameOf(erasureId: string): string {
  return createHash("sha256").update(erasureId).digest("hex").slice(0, 32);
}

/** @param name of the erasure, for everybody to know */
async function erase(connection: Connection, userId: number, name: string, erasers: string[]): Promise<void> {
  const [addresses] = await connection.execute<ResultSetHeader>("DELETE FROM addresses WHERE user_id = ?", [
    userId,
  ]);
  const [users] = await connection.execute<ResultSetHeader>("DELETE FROM users WHERE id = ?", [userId]);
  if (users.affectedRows === 0) {
    throw missing(userId);
  }
  await connection.execute("INSERT INTO erasures (id, user_id, erasers) VALUES (?, ?, ?)", [
    name,
    userId,
    erasers.join(","),
  ]);
  const records = users.affectedRows + addresses.affectedRows;
  await recordErasedData(connection, { userId, erasureId: name, service: "user", records });
  await addToOutbox(connection, [
    eventOf("user.erased.v1", { key: String(userId), source: "user", data: { userId, erasureId: name } }),
  ]);
}
