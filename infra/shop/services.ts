import type { EventType } from "@lab/messaging";
import type { MessagingUse } from "@lab/messaging/permissions";
import type { Environment } from "../environment.ts";
import type { PortName } from "../ports.ts";
import type { ShopUrls } from "./urls.ts";

/** The stores that a service can have an account of. */
export type Store = "mysql" | "mongodb" | "redis" | "cassandra" | "neo4j";

/** Which service answers which paths: a path belongs to the service whose prefix it begins with. */
export interface Route {
  prefix: string;
  service: string;
  /** What may be asked without a token: method and path, in which `{name}` stands for one segment. */
  public: readonly string[];
}

/** What the settings of a service can be made of. */
export interface Facts {
  environment: Environment;
  consulUrl: string;
  /** What the gateway routes. */
  routes: Route[];
  /** The services that erase a person: those that hear of it. */
  erasers: string[];
  urls: ShopUrls;
}

/** One service of the shop. Its code is in `services/<name>`; whatever else it needs follows from this. */
export interface ServiceRow {
  /** What it does, for Nomad's UI. */
  description: string;
  /**
   * The stores that it has an account of. One of MySQL, with a database of its own, is made for any service; the other
   * stores have accounts for certain services only, which their files in `infra/data/` make.
   */
  stores?: readonly Store[];
  /** Whether it leaves in its stores what needs no preparation, so that there is nothing to migrate. */
  hasNoSchema?: boolean;
  /**
   * The types of events that it says, which are all that its user of NATS may publish, and those that it hears: the user has
   * consumers if there are any, and names their types itself. Without either it has no user.
   */
  publishes?: readonly EventType[];
  consumes?: readonly EventType[];
  /** The path under which the gateway hands requests on to it. Whatever is not below it is for other services only. */
  route?: string;
  /** What people without a token may ask it, as in {@link Route}; a token or none will do there. Everything else wants one. */
  public?: readonly string[];
  /** Settings of its own, as environment variables. */
  settings?(facts: Facts): Record<string, string>;
  /** Secrets of its own: the keyring's names of them by environment variable. Services that name the same share it. */
  secrets?: Readonly<Record<string, string>>;
  /** A fixed port, and so a single instance; without it Nomad picks one for each instance. */
  port?: PortName;
  /** A fixed port that all instances listen on together, besides the one that Nomad picks for each. */
  sharedPort?: PortName;
  /** More fixed ports, by their names in Nomad. */
  morePorts?: Readonly<Record<string, PortName>>;
  /** Files that lie beside the program in its bundle, by the names that they have there: paths from the checkout's root. */
  assets?: Readonly<Record<string, string>>;
  /** Whether it has a folder of its own for data (`DATA_DIR`). */
  keepsData?: boolean;
  /** Whether it stands for another company's, which knows nothing of the shop's people. */
  isOutside?: boolean;
}

/** The shop's administrator, and the keyring's name of their password. */
export const administrator = { email: "admin@example.org", secret: "shop-admin" };

/** The keyring's name of the key by which the payment provider knows the shop. */
export const providerKey = "payment-provider-api";

/** The keyring's name of the key of the tokens by which services know each other. */
const serviceTokenKey = "service-tokens";

/** Whose tokens people have, and for whom: the user service gives them, and the gateway alone takes them. */
const peopleTokens = { issuer: "polyglot-lab", audience: "shop" };

/** Whose tokens the services take, and for whom: the gateway puts them in the place of people's. */
export const internalTokens = { issuer: "gateway", audience: "shop-services" };

/** The key in Consul's store whose value is laid over the gateway's policies while it runs. */
export const policiesKey = "gateway/policies";

/** The services of the shop, in the order in which they are shown. A new one is a folder in `services/` and a line here. */
export const services = {
  gateway: {
    description: "The way in: routes /api to the live instances of each service.",
    stores: ["redis"],
    hasNoSchema: true,
    sharedPort: "gateway",
    assets: {
      "swagger-ui-bundle.js": "node_modules/swagger-ui-dist/swagger-ui-bundle.js",
      "swagger-ui.css": "node_modules/swagger-ui-dist/swagger-ui.css",
    },
    settings: ({ environment: { ports, gateway }, consulUrl, routes }) => ({
      GATEWAY_PORT: String(ports.gateway),
      CONSUL_URL: consulUrl,
      ROUTES: JSON.stringify(routes),
      POLICIES: JSON.stringify(gateway),
      POLICIES_KEY: policiesKey,
      JWT_ISSUER: peopleTokens.issuer,
      JWT_AUDIENCE: peopleTokens.audience,
      JWKS_SERVICE: "user",
      JWKS_PATH: "/api/users/jwks.json",
      INTERNAL_ISSUER: internalTokens.issuer,
      INTERNAL_AUDIENCE: internalTokens.audience,
    }),
    secrets: { INTERNAL_TOKEN_SECRET: "internal-tokens" },
  },
  user: {
    description: "Users and their addresses, in MySQL.",
    stores: ["mysql", "redis"],
    route: "/api/users",
    public: [
      "POST /api/users",
      "POST /api/users/login",
      "GET /api/users/jwks.json",
      "GET /api/users/erasures/{erasureId}",
      "GET /api/users/students",
    ],
    publishes: ["user.registered.v1", "user.changed.v1", "user.erased.v1"],
    consumes: ["user.data-erased.v1"],
    settings: ({ environment, erasers }) => ({
      ADMIN_EMAIL: administrator.email,
      TOKEN_ISSUER: peopleTokens.issuer,
      TOKEN_AUDIENCE: peopleTokens.audience,
      TOKEN_TTL_SECONDS: String(environment.tokenTtlSeconds),
      KEY_LIFETIME_SECONDS: String(environment.keyLifetimeSeconds),
      ERASERS: erasers.join(","),
    }),
    secrets: { ADMIN_PASSWORD: administrator.secret, KEY_ENCRYPTION_KEY: "user-key-encryption" },
  },
  product: {
    description: "Products of different shapes, in MongoDB.",
    stores: ["mongodb"],
    route: "/api/products",
    public: ["GET /api/products", "GET /api/products/{sku}", "GET /api/products/students"],
    publishes: ["product.viewed.v1", "stock.reserved.v1", "stock.rejected.v1", "user.data-erased.v1"],
    consumes: ["order.placed.v1", "order.cancelled.v1", "payment.captured.v1", "user.erased.v1"],
  },
  cart: {
    description: "Carts that expire, in Redis.",
    stores: ["redis"],
    route: "/api/cart",
    public: ["GET /api/cart/{cart}", "DELETE /api/cart/{cart}", "PUT /api/cart/{cart}/items/{sku}"],
    publishes: ["cart.merged.v1", "user.data-erased.v1"],
    consumes: ["user.erased.v1"],
    settings: ({ environment }) => ({ CART_TTL_SECONDS: String(environment.cartTtlSeconds) }),
  },
  order: {
    description: "Orders and their lines, in MySQL, with an outbox.",
    stores: ["mysql"],
    route: "/api/orders",
    publishes: ["order.placed.v1", "order.cancelled.v1", "order.confirmed.v1", "user.data-erased.v1"],
    consumes: [
      "payment.captured.v1",
      "payment.declined.v1",
      "payment.voided.v1",
      "payment.refunded.v1",
      "stock.reserved.v1",
      "stock.rejected.v1",
      "user.erased.v1",
    ],
    settings: ({ environment, consulUrl }) => ({
      CHAIN: environment.chain,
      CONSUL_URL: consulUrl,
      PRODUCT_SERVICE: "product",
      PAYMENT_SERVICE: "payment",
    }),
    secrets: { SERVICE_TOKEN_KEY: serviceTokenKey },
  },
  payment: {
    description: "Payments through an outside provider, in MySQL: charged once, or given back.",
    stores: ["mysql"],
    route: "/api/payments",
    publishes: [
      "payment.captured.v1",
      "payment.declined.v1",
      "payment.voided.v1",
      "payment.refunded.v1",
      "user.data-erased.v1",
    ],
    consumes: ["order.placed.v1", "order.cancelled.v1", "stock.rejected.v1", "user.erased.v1"],
    settings: ({ consulUrl, urls }) => ({
      CONSUL_URL: consulUrl,
      NOTIFICATION_SERVICE: "notification",
      PROVIDER_URL: urls.paymentProvider,
    }),
    secrets: { SERVICE_TOKEN_KEY: serviceTokenKey, PROVIDER_API_KEY: providerKey },
  },
  notification: {
    description: "Mails to customers about their orders, each recorded in MySQL.",
    stores: ["mysql"],
    route: "/api/notifications",
    publishes: ["notification.sent.v1", "user.data-erased.v1"],
    consumes: [
      "order.placed.v1",
      "order.cancelled.v1",
      "payment.captured.v1",
      "payment.declined.v1",
      "payment.voided.v1",
      "payment.refunded.v1",
      "user.registered.v1",
      "user.changed.v1",
      "user.erased.v1",
    ],
    settings: ({ environment: { ports } }) => ({
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(ports.mailSmtp),
      MAIL_FROM: "The shop <shop@example.org>",
    }),
    secrets: { SERVICE_TOKEN_KEY: serviceTokenKey },
  },
  analytics: {
    description: "Events in wide rows, in Cassandra.",
    stores: ["cassandra"],
    route: "/api/analytics",
    public: ["GET /api/analytics/rows/{id}"],
    publishes: ["user.data-erased.v1"],
    consumes: [
      "cart.merged.v1",
      "notification.sent.v1",
      "order.placed.v1",
      "order.cancelled.v1",
      "order.confirmed.v1",
      "payment.captured.v1",
      "payment.declined.v1",
      "payment.voided.v1",
      "payment.refunded.v1",
      "product.viewed.v1",
      "stock.reserved.v1",
      "stock.rejected.v1",
      "user.registered.v1",
      "user.changed.v1",
      "user.erased.v1",
    ],
  },
  social: {
    description: "Friends, in Neo4j.",
    stores: ["neo4j"],
    route: "/api/social",
    publishes: ["user.data-erased.v1"],
    consumes: [
      "order.placed.v1",
      "payment.captured.v1",
      "payment.declined.v1",
      "payment.voided.v1",
      "payment.refunded.v1",
      "user.registered.v1",
      "user.changed.v1",
      "user.erased.v1",
    ],
  },
  "payment-provider": {
    description: "Another company's: charges cards, and has a ledger of its own.",
    isOutside: true,
    port: "paymentProvider",
    keepsData: true,
    settings: ({ environment: { provider } }) => ({
      PROVIDER_LATENCY_MS: String(provider.latencyMs),
      PROVIDER_FAILURE_RATE: String(provider.failureRate),
      PROVIDER_LOST_ANSWER_RATE: String(provider.lostAnswerRate),
    }),
    secrets: { PROVIDER_API_KEY: providerKey },
  },
  mail: {
    description: "Takes all mail, keeps one for each Message-ID, and shows them.",
    isOutside: true,
    port: "mail",
    morePorts: { smtp: "mailSmtp" },
    keepsData: true,
    settings: ({ environment: { ports } }) => ({ SMTP_PORT: String(ports.mailSmtp) }),
  },
} as const satisfies Record<string, ServiceRow>;

/** A second job of a service's bundle and accounts, with other settings, of which no instance runs until a command scales it. */
export interface VariantRow {
  of: ServiceName;
  description: string;
  settings: Readonly<Record<string, string>>;
}

/** What commands compare the services with. */
export const variants: Readonly<Record<string, VariantRow>> = {
  "order-sync": {
    of: "order",
    description: "The order service with customers waiting for payment and notification, to compare.",
    settings: { CHAIN: "sync", PAYMENT_SERVICE: "payment-sync" },
  },
  "payment-sync": {
    of: "payment",
    description: "The payment service as the middle of the synchronous chain, to compare.",
    settings: {},
  },
  "cart-stateful": {
    of: "cart",
    description: "The cart service with its carts in the memory of the process, to compare.",
    settings: { CART_STORE: "memory" },
  },
};

/**
 * All services in one process, to compare: `services/monolith` with the accounts of all. Its order service asks it, and no
 * other, for prices, and works by the queue.
 */
export const monolith = {
  name: "monolith",
  description: "The whole shop in one process, to compare.",
  memoryMaxMib: 640,
  settings: {
    order: { CHAIN: "async", PRODUCT_SERVICE: "monolith", PAYMENT_SERVICE: "monolith" },
    payment: { NOTIFICATION_SERVICE: "monolith" },
  } as Partial<Record<ServiceName, Record<string, string>>>,
};

export type ServiceName = keyof typeof services;

export const serviceNames = Object.keys(services) as [ServiceName, ...ServiceName[]];

/** A service's row, as one type for all. */
export function rowOf(name: ServiceName): ServiceRow {
  return services[name];
}

/** The jobs of which no instance runs until a command scales them. */
export const stoppedNames: string[] = [...Object.keys(variants), monolith.name];

/** The services that have an account of a store. */
export function servicesWith(store: Store): ServiceName[] {
  return serviceNames.filter((name) => rowOf(name).stores?.includes(store));
}

/** Whether a service says or hears events. */
export function usesMessaging(name: ServiceName): boolean {
  const { publishes = [], consumes = [] } = rowOf(name);
  return publishes.length + consumes.length > 0;
}

/** What each service does with events, of those that do anything with them. */
export function messagingUses(): MessagingUse[] {
  return serviceNames.filter(usesMessaging).map((name) => {
    const { publishes = [], consumes = [] } = rowOf(name);
    return { name, publishes, consumes };
  });
}

/** What the gateway routes. */
export function publicRoutes(): Route[] {
  return serviceNames.flatMap((service) => {
    const { route: prefix, public: open = [] } = rowOf(service);
    return prefix === undefined ? [] : [{ prefix, service, public: open }];
  });
}

/** Who is to say that a person was erased there. */
export function erasers(): string[] {
  return serviceNames.filter((service) => rowOf(service).consumes?.includes("user.erased.v1"));
}
