import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type AppEnvironment, type Auth, done, Problem, secured } from "@lab/service-kit";
import type { Revocations } from "./revocations.ts";

/** Ending a log-in. */
export function logoutRoute(
  app: OpenAPIHono<AppEnvironment>,
  { auth, revocations }: { auth: Auth; revocations: Pick<Revocations, "endLogin"> },
): void {
  app.openapi(
    createRoute({
      ...secured,
      method: "post",
      path: "/api/users/logout",
      summary: "Log out: the token that this is sent with is good for nothing any more",
      middleware: auth.user,
      responses: done("The log-in has ended; others of the same person go on"),
    }),
    async (c) => {
      const { sid, sidExpiresAt } = c.get("identity");
      if (sid === undefined || sidExpiresAt === undefined) {
        throw new Problem(
          409,
          "This log-in has no name to end it by. It ends by itself when its token expires.",
        );
      }
      await revocations.endLogin(sid, sidExpiresAt);
      return c.body(null, 204);
    },
  );
}
