/** Which service answers which paths: a path belongs to the service whose prefix it begins with. */
export const routes = [
  { prefix: "/api/users", service: "user" },
  { prefix: "/api/products", service: "product" },
  { prefix: "/api/cart", service: "cart" },
  { prefix: "/api/analytics", service: "analytics" },
  { prefix: "/api/social", service: "social" },
] as const;

export type Route = (typeof routes)[number];

/** The route of a path; `undefined` for a path that is nobody's. */
export function routeOf(path: string): Route | undefined {
  return routes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
}
