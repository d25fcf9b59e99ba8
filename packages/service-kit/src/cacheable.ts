import type { MiddlewareHandler } from "hono";
import { every } from "hono/combine";
import { etag } from "hono/etag";

/**
 * Lets the gateway and browsers keep the answers of a route, and gives them an `ETag`, by which an answer that has not changed is not
 * sent again. For what is the same for everybody.
 *
 * @param cacheControl as in RFC 9111 §5.2.2, such as `public, max-age=60`
 */
export function cacheable(cacheControl: string): MiddlewareHandler {
  return every(async (c, next) => {
    await next();
    if (c.res.ok || c.res.status === 304) {
      c.header("cache-control", cacheControl);
    }
  }, etag());
}
