import type { Environment } from "../environment.ts";
import type { PortName } from "../ports.ts";

/** The stores that a service can have an account of. */
export type Store = "mysql" | "mongodb" | "redis" | "cassandra" | "neo4j";

/** Which service answers which paths: a path belongs to the service whose prefix it begins with. */
export interface Route {
  prefix: string;
  service: string;
}

/** What the settings of a service can be made of. */
export interface Facts {
  environment: Environment;
  consulUrl: string;
  /** The public routes of all services. */
  routes: Route[];
}

/** One service of the shop. Its code is in `services/<name>`; whatever else it needs follows from this. */
export interface ServiceRow {
  /** What it does, for Nomad's UI. */
  description: string;
  /**
   * The stores that it has an account of. One of MySQL, with a database of its own, is made for any service; the other
   * stores have accounts for one service each, which their files in `infra/data/` make.
   */
  stores?: readonly Store[];
  /** The path under which the gateway makes it public. */
  route?: string;
  /** Settings of its own, as environment variables. */
  settings?(facts: Facts): Record<string, string>;
  /** A fixed port; without it Nomad picks one for each instance. */
  port?: PortName;
}

/** The services of the shop, in the order in which they are shown. A new one is a folder in `services/` and a line here. */
export const services = {
  gateway: {
    description: "The way in: routes /api to the live instances of each service.",
    port: "gateway",
    settings: ({ consulUrl, routes }) => ({ CONSUL_URL: consulUrl, ROUTES: JSON.stringify(routes) }),
  },
  user: {
    description: "Users and their addresses, in MySQL.",
    stores: ["mysql"],
    route: "/api/users",
  },
  product: {
    description: "Products of different shapes, in MongoDB.",
    stores: ["mongodb"],
    route: "/api/products",
  },
  cart: {
    description: "Carts that expire, in Redis.",
    stores: ["redis"],
    route: "/api/cart",
    settings: ({ environment }) => ({ CART_TTL_SECONDS: String(environment.cartTtlSeconds) }),
  },
  analytics: {
    description: "Events in wide rows, in Cassandra.",
    stores: ["cassandra"],
    route: "/api/analytics",
  },
  social: {
    description: "Friends, in Neo4j.",
    stores: ["neo4j"],
    route: "/api/social",
  },
} as const satisfies Record<string, ServiceRow>;

export type ServiceName = keyof typeof services;

export const serviceNames = Object.keys(services) as [ServiceName, ...ServiceName[]];

/** A service's row, as one type for all. */
export function rowOf(name: ServiceName): ServiceRow {
  return services[name];
}

/** The services that have an account of a store. */
export function servicesWith(store: Store): ServiceName[] {
  return serviceNames.filter((name) => rowOf(name).stores?.includes(store));
}

/** What the gateway routes. */
export function publicRoutes(): Route[] {
  return serviceNames.flatMap((service) => {
    const prefix = rowOf(service).route;
    return prefix === undefined ? [] : [{ prefix, service }];
  });
}
