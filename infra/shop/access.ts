import type { Account } from "../data/account.ts";
import type { DataTier } from "../data/data-tier.ts";
import type { Nats } from "../platform/nats.ts";
import type { ServiceName, Store } from "./services.ts";
import type { Variables } from "./variables.ts";

/**
 * A service's account of a store, as environment variables.
 *
 * @throws Error when the store has none for it
 */
export function accessTo(store: Store, service: ServiceName, data: DataTier): Variables {
  return kinds[store](service, data);
}

/** A service's user of NATS, as environment variables. */
export function accessToNats(service: ServiceName, nats: Nats): Variables {
  const { user, password } = nats.accountOf(service);
  return { settings: { NATS_URL: nats.url, NATS_USER: user }, secrets: { NATS_PASSWORD: password } };
}

const kinds: Record<Store, (service: ServiceName, data: DataTier) => Variables> = {
  mysql(service, { mysql }) {
    const { host, port, user, password } = mysql.accountOf(service);
    return {
      settings: {
        MYSQL_HOST: host,
        MYSQL_PORT: String(port),
        MYSQL_DATABASE: service,
        MYSQL_USER: user,
      },
      secrets: { MYSQL_PASSWORD: password },
    };
  },

  mongodb(service, { mongodb }) {
    const { host, port, user, password } = owned("mongodb", mongodb.product, service);
    const access: Variables = {
      settings: { MONGODB_URL: `mongodb://${host}:${port}`, MONGODB_DATABASE: service },
      secrets: {},
    };
    if (mongodb.server === "mongod") {
      access.settings.MONGODB_USER = user;
      access.secrets.MONGODB_PASSWORD = password;
    }
    return access;
  },

  redis(service, { redis }) {
    const { host, port, user, password } = redis.accountOf(service);
    return {
      settings: { REDIS_HOST: host, REDIS_PORT: String(port), REDIS_USER: user },
      secrets: { REDIS_PASSWORD: password },
    };
  },

  cassandra(service, { cassandra }) {
    const { host, port, user, password } = owned("cassandra", cassandra.analytics, service);
    return {
      settings: {
        CASSANDRA_HOST: host,
        CASSANDRA_PORT: String(port),
        CASSANDRA_DATACENTER: cassandra.localDataCenter,
        CASSANDRA_KEYSPACE: service,
        CASSANDRA_USER: user,
      },
      secrets: { CASSANDRA_PASSWORD: password },
    };
  },

  neo4j(_service, { neo4j }) {
    return {
      settings: { NEO4J_URL: neo4j.boltUrl, NEO4J_USER: neo4j.admin.user },
      secrets: { NEO4J_PASSWORD: neo4j.admin.password },
    };
  },
};

function owned(store: Store, account: Account, service: ServiceName): Account {
  if (account.user !== service) {
    throw new Error(
      `Service ${service} can't have an account of ${store}: infra/data/${store}.ts makes one for ${account.user} only.`,
    );
  }
  return account;
}
