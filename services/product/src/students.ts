import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, jsonBody, Problem, reply, secured } from "@lab/service-kit";
import type { Db } from "mongodb";
import { limits, problemWith } from "./fields.ts";
import { replaceOrInsert } from "./inserts.ts";

const field = z.string().regex(/^[A-Za-z_]\w{0,63}$/);

const student = z.object({ id: z.number().int(), name: z.string() }).loose().openapi("Student");

type Student = z.infer<typeof student>;

const studentInput = z
  .object({ name: z.string().trim().min(1).max(100) })
  .catchall(z.unknown())
  .superRefine((document, context) => {
    const problem = problemWith(document);
    if (problem) {
      context.addIssue({ code: "custom", message: problem });
    }
  })
  .openapi("StudentInput", {
    description: limits,
    example: { name: "Sneha", hobbies: ["music", "painting"] },
  });

/** The collection `students`: one has marks, another hobbies, and no table had to be altered. */
export function studentRoutes(app: OpenAPIHono<AppEnvironment>, auth: Auth, database: Db): void {
  const students = database.collection<Student>("students");
  const withoutObjectId = { projection: { _id: 0 } };

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/products/students",
      summary: "Students, perhaps only those who have, or lack, a field",
      request: {
        query: z.object({
          having: field.optional(),
          lacking: field.optional(),
          after: z.coerce
            .number()
            .int()
            .optional()
            .openapi({ description: "The id that the page before ended with." }),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: reply(200, "Documents of different shapes", z.array(student)),
    }),
    async (c) => {
      const { having, lacking, after, limit } = c.req.valid("query");
      if (having !== undefined && having === lacking) {
        throw new Problem(400, `No student both has and lacks ${having}.`);
      }
      const filter = {
        ...(having && { [having]: { $exists: true } }),
        ...(lacking && { [lacking]: { $exists: false } }),
      };
      const page = after === undefined ? filter : { $and: [filter, { id: { $gt: after } }] };
      const found = await students.find(page, withoutObjectId).sort({ id: 1 }).limit(limit).toArray();
      return c.json(found as Student[], 200);
    },
  );

  app.openapi(
    createRoute({
      ...secured,
      method: "put",
      path: "/api/products/students/{id}",
      summary: "Create or replace a student, with any fields; for administrators",
      middleware: auth.admin,
      request: { params: z.object({ id: z.coerce.number().int().min(1) }), body: jsonBody(studentInput) },
      responses: reply(200, "The document as stored", student),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { _id, ...fields } = c.req.valid("json") as Record<string, unknown>;
      const document = { ...fields, id } as Student;
      await replaceOrInsert(students, { id }, document);
      return c.json(document, 200);
    },
  );
}
