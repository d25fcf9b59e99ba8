import * as pulumi from "@pulumi/pulumi";
import { locateTools } from "../toolchain/tools.ts";
import { DataTier } from "./data/data-tier.ts";
import { environmentOf } from "./environment.ts";
import { foldersOf } from "./folders.ts";
import { ArtifactStore } from "./platform/artifact-store.ts";
import { configurationTree } from "./platform/configuration-tree.ts";
import { Nats } from "./platform/nats.ts";
import { Platform } from "./platform/platform.ts";
import { stackSettings } from "./settings.ts";
import { administrator, messagingUses, providerKey } from "./shop/services.ts";
import { Shop } from "./shop/shop.ts";

const stack = pulumi.getStack();
const environment = environmentOf(stack, stackSettings());
const folders = foldersOf(stack);
const tools = await locateTools();

const platform = new Platform("platform", { environment, folders, tools });
const artifacts = new ArtifactStore("artifacts", platform);
const nats = new Nats("nats", platform, messagingUses());
const data = new DataTier("data", platform, artifacts);
const shop = new Shop("shop", artifacts, { platform, data, nats });

/** Where people and programs find things. */
export const urls = {
  ...shop.urls,
  nomad: platform.nomad.url,
  consul: `http://${platform.consul.address}`,
  neo4j: data.neo4j.browserUrl,
  nats: nats.url,
  natsMonitor: nats.monitorUrl,
  artifacts: artifacts.url,
};

configurationTree(
  environment,
  platform.consul,
  { ...Object.fromEntries(Object.entries(urls).map(([name, url]) => [`urls/${name}`, url])) },
  platform,
);

/** Which server speaks MongoDB's protocol in this stack. */
export const mongodbServer = data.mongodb.server;
export const { datacenter, region } = environment;
export { folders };

/** What signs a person in; only shown with `--show-secrets`. */
export const credentials = pulumi.secret({
  consulToken: platform.consulToken,
  nomadToken: platform.nomadToken,
  mysql: data.mysql.admin,
  mongodb: data.mongodb.admin,
  cassandra: data.cassandra.admin,
  redis: data.redis.admin,
  neo4j: data.neo4j.admin,
  nats: nats.operator,
  shopAdmin: { email: administrator.email, password: platform.keyring.password(administrator.secret) },
  paymentProvider: { apiKey: platform.keyring.password(providerKey) },
});
