import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, done, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import type { Pool, RowDataPacket } from "mysql2/promise";

const id = z.coerce.number().int().min(1).max(4_294_967_295);

const studentInput = z
  .object({
    name: z.string().trim().min(1).max(100),
    class: z.int32(),
    marks: z.int32(),
  })
  .openapi("StudentInput");

/** Columns that were added later come with the others, `null` where nobody has filled them. */
const student = studentInput.extend({ id: z.number().int() }).loose().openapi("Student");

const columnName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,30}$/)
  .openapi({ example: "hobbies" });

const columnTypes = { text: "VARCHAR(200)", number: "DOUBLE" } as const;

/** The columns that the table is made with, which stay. */
const firstColumns: readonly string[] = ["id", "name", "class", "marks"];
const maxColumns = 20;

/** The table `Students`: every row has the same columns, and a new one needs `ALTER TABLE`. */
export function studentRoutes(
  app: OpenAPIHono<AppEnvironment>,
  { pool, auth }: { pool: Pool; auth: Auth },
): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/api/users/students",
      summary: "Students, perhaps only those with more than so many marks",
      request: {
        query: z.object({
          marksAbove: z.coerce.number().pipe(z.int32()).optional(),
          after: z.coerce.number().int().min(0).default(0),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(
        200,
        "A page of rows, each with all columns; the next begins after the last id",
        z.array(student),
      ),
    }),
    async (c) => {
      const { marksAbove = null, after, limit } = c.req.valid("query");
      const [rows] = await pool.query<RowDataPacket[]>(
        "SELECT * FROM Students WHERE (? IS NULL OR marks > ?) AND id > ? ORDER BY id LIMIT ?",
        [marksAbove, marksAbove, after, limit],
      );
      return c.json(rows as z.infer<typeof student>[], 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/users/students/{id}",
      summary: "Create or replace a student",
      middleware: auth.admin,
      request: { params: z.object({ id }), body: jsonBody(studentInput) },
      responses: reply(200, "The row as stored", student),
    }),
    async (c) => {
      const number = c.req.valid("param").id;
      const { name, class: form, marks } = c.req.valid("json");
      await pool.execute(
        `INSERT INTO Students (id, name, class, marks) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE name = VALUES(name), class = VALUES(class), marks = VALUES(marks)`,
        [number, name, form, marks],
      );
      const [[row]] = await pool.execute<RowDataPacket[]>("SELECT * FROM Students WHERE id = ?", [number]);
      return c.json(row as z.infer<typeof student>, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/users/students/columns/{column}",
      summary: "Give every student a new column: ALTER TABLE",
      middleware: auth.admin,
      request: {
        params: z.object({ column: columnName }),
        body: jsonBody(z.object({ type: z.enum(["text", "number"]) }).openapi("Column")),
      },
      responses: reply(
        200,
        "What it took",
        z.object({ statement: z.string(), rows: z.number(), durationMs: z.number() }),
      ),
    }),
    async (c) => {
      const { column } = c.req.valid("param");
      const { type } = c.req.valid("json");
      const [columns] = await pool.query<RowDataPacket[]>("SHOW COLUMNS FROM Students");
      if (columns.length >= maxColumns && !columns.some(({ Field }) => Field === column)) {
        throw new Problem(409, `Students has ${columns.length} columns; remove one first.`);
      }
      // A name can't be a bound parameter; its pattern lets nothing through that would need quoting.
      const statement = `ALTER TABLE Students ADD COLUMN IF NOT EXISTS \`${column}\` ${columnTypes[type]} NULL`;
      const startedMs = performance.now();
      await pool.query(statement);
      const durationMs = performance.now() - startedMs;
      const [[count]] = await pool.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM Students");
      return c.json({ statement, rows: Number(count?.n), durationMs }, 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "delete",
      path: "/api/users/students/columns/{column}",
      summary: "Take an added column from every student",
      middleware: auth.admin,
      request: { params: z.object({ column: columnName }) },
      responses: done("There is no such column any more"),
    }),
    async (c) => {
      const { column } = c.req.valid("param");
      if (firstColumns.includes(column)) {
        throw new Problem(409, `${column} is one of the columns that the table was made with.`);
      }
      await pool.query(`ALTER TABLE Students DROP COLUMN IF EXISTS \`${column}\``);
      return c.body(null, 204);
    },
  );
}
