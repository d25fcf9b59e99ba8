import { z } from "zod";

const route = z.strictObject({
  prefix: z.string().regex(/^\/api\/[a-z0-9-]+$/, "must be /api/ and one name"),
  service: z.string().regex(/^[a-z][a-z0-9-]*$/, "must be the name of a service"),
});

/** Which service answers which paths: a path belongs to the service whose prefix it begins with. */
export type Route = z.infer<typeof route>;

/** Routes as JSON text, such as `[{"prefix": "/api/users", "service": "user"}]`. */
export const routesSetting = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "must be JSON" });
      return z.NEVER;
    }
  })
  .pipe(z.array(route).min(1));

/** The route of a path; `undefined` for a path that is nobody's. */
export function routeOf(routes: Route[], path: string): Route | undefined {
  return routes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
}
