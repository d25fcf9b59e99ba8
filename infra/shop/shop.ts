import * as pulumi from "@pulumi/pulumi";
import type { DataTier } from "../data/data-tier.ts";
import type { ArtifactStore } from "../platform/artifact-store.ts";
import type { Platform } from "../platform/platform.ts";
import { HonoService } from "./hono-service.ts";

/** The services of the shop, each with the store that fits it, and the gateway in front of them. */
export class Shop extends pulumi.ComponentResource {
  readonly gatewayUrl: string;

  constructor(
    name: string,
    platform: Platform,
    artifacts: ArtifactStore,
    data: DataTier,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("lab:shop:Shop", name, {}, options);
    const { environment } = platform;
    const { mysql, mongodb, cassandra, redis, neo4j } = data;
    const own = { parent: this };

    new HonoService(
      "user",
      platform,
      {
        artifacts,
        description: "Users and their addresses, in MySQL.",
        migrates: true,
        settings: {
          MYSQL_HOST: mysql.user.host,
          MYSQL_PORT: String(mysql.user.port),
          MYSQL_DATABASE: "user",
          MYSQL_USER: mysql.user.user,
        },
        secrets: { MYSQL_PASSWORD: mysql.user.password },
      },
      own,
    );
    const mongodbUrl = `mongodb://${mongodb.product.host}:${mongodb.product.port}`;
    new HonoService(
      "product",
      platform,
      {
        artifacts,
        description: "Products of different shapes, in MongoDB.",
        migrates: true,
        settings: {
          MONGODB_URL: mongodbUrl,
          MONGODB_DATABASE: "product",
          ...(mongodb.server === "mongod" ? { MONGODB_USER: mongodb.product.user } : {}),
        },
        secrets: mongodb.server === "mongod" ? { MONGODB_PASSWORD: mongodb.product.password } : undefined,
      },
      own,
    );
    new HonoService(
      "cart",
      platform,
      {
        artifacts,
        description: "Carts that expire, in Redis.",
        migrates: true,
        settings: {
          REDIS_HOST: redis.cart.host,
          REDIS_PORT: String(redis.cart.port),
          REDIS_USER: redis.cart.user,
          CART_TTL_SECONDS: String(environment.cartTtlSeconds),
        },
        secrets: { REDIS_PASSWORD: redis.cart.password },
      },
      own,
    );
    new HonoService(
      "analytics",
      platform,
      {
        artifacts,
        description: "Events in wide rows, in Cassandra.",
        migrates: true,
        settings: {
          CASSANDRA_HOST: cassandra.analytics.host,
          CASSANDRA_PORT: String(cassandra.analytics.port),
          CASSANDRA_DATACENTER: cassandra.localDataCenter,
          CASSANDRA_KEYSPACE: "analytics",
          CASSANDRA_USER: cassandra.analytics.user,
        },
        secrets: { CASSANDRA_PASSWORD: cassandra.analytics.password },
      },
      own,
    );
    new HonoService(
      "social",
      platform,
      {
        artifacts,
        description: "Friends, in Neo4j.",
        migrates: true,
        settings: { NEO4J_URL: neo4j.boltUrl, NEO4J_USER: neo4j.admin.user },
        secrets: { NEO4J_PASSWORD: neo4j.admin.password },
      },
      own,
    );
    new HonoService(
      "gateway",
      platform,
      {
        artifacts,
        description: "The way in: routes /api to the live instances of each service.",
        port: environment.ports.gateway,
        settings: { CONSUL_URL: `http://${platform.consul.address}` },
      },
      own,
    );
    this.gatewayUrl = `http://127.0.0.1:${environment.ports.gateway}`;
    this.registerOutputs({ gatewayUrl: this.gatewayUrl });
  }
}
