import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type AppEnvironment, jsonBody, Problem, reply } from "@lab/service-kit";
import type { Db } from "mongodb";

const field = z.string().regex(/^[A-Za-z_]\w{0,63}$/);

const student = z.object({ id: z.number().int(), name: z.string() }).loose().openapi("Student");

type Student = z.infer<typeof student>;

const studentInput = z
  .object({ name: z.string().trim().min(1).max(100) })
  .catchall(z.unknown())
  .refine((document) => Object.keys(document).every((name) => field.safeParse(name).success), {
    error: "names of fields are letters, digits and _",
  })
  .openapi("StudentInput", { example: { name: "Sneha", hobbies: ["music", "painting"] } });

/** The collection `students`: one has marks, another hobbies, and no table had to be altered. */
export function studentRoutes(app: OpenAPIHono<AppEnvironment>, database: Db): void {
  const students = database.collection<Student>("students");
  const withoutObjectId = { projection: { _id: 0 } };

  app.openapi(
    createRoute({
      method: "get",
      path: "/api/products/students",
      summary: "Students, perhaps only those who have, or lack, a field",
      request: { query: z.object({ having: field.optional(), lacking: field.optional() }) },
      responses: reply(200, "Documents of different shapes", z.array(student)),
    }),
    async (c) => {
      const { having, lacking } = c.req.valid("query");
      if (having !== undefined && having === lacking) {
        throw new Problem(400, `No student both has and lacks ${having}.`);
      }
      const filter = {
        ...(having && { [having]: { $exists: true } }),
        ...(lacking && { [lacking]: { $exists: false } }),
      };
      const found = await students.find(filter, withoutObjectId).sort({ id: 1 }).toArray();
      return c.json(found as Student[], 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/api/products/students/{id}",
      summary: "Create or replace a student, with any fields",
      request: { params: z.object({ id: z.coerce.number().int().min(1) }), body: jsonBody(studentInput) },
      responses: reply(200, "The document as stored", student),
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const document = { ...c.req.valid("json"), id } as Student;
      await students.replaceOne({ id }, document, { upsert: true });
      return c.json(document, 200);
    },
  );
}
