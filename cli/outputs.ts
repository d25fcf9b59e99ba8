import { LabError } from "./errors.ts";
import { pulumi } from "./pulumi.ts";
import type { Stack } from "./stack.ts";
import { hasState } from "./state.ts";

/** An account of a store, with its password. */
export interface Credentials {
  host: string;
  port: number;
  user: string;
  password: string;
  database?: string;
}

export type StoreName = "mysql" | "mongodb" | "cassandra" | "redis" | "neo4j";

/** What `infra/index.ts` exports. */
export interface Outputs {
  urls: Record<
    | "gateway"
    | "paymentProvider"
    | "mail"
    | "nomad"
    | "consul"
    | "neo4j"
    | "nats"
    | "natsMonitor"
    | "artifacts",
    string
  >;
  mongodbServer: "mongod" | "ferretdb";
  datacenter: string;
  region: string;
  credentials: Record<StoreName, Credentials> & {
    consulToken: string;
    nomadToken: string;
    /** Who may do everything with the shop's streams. */
    nats: { user: string; password: string };
    /** Signs in at the user service. */
    shopAdmin: { email: string; password: string };
    paymentProvider: { apiKey: string };
  };
}

/**
 * The outputs of a stack, secrets included.
 *
 * @throws LabError when the stack has not been brought up
 */
export async function outputsOf(stack: Stack): Promise<Outputs> {
  const outputs = hasState(stack)
    ? (JSON.parse(await pulumi(stack, ["stack", "output", "--json", "--show-secrets"])) as Partial<Outputs>)
    : {};
  if (!outputs.urls || !outputs.credentials) {
    throw new LabError("missing", "not-up", `Stack ${stack.name} has not been brought up.`, up(stack));
  }
  return outputs as Outputs;
}

/** The error for an environment that does not answer. */
export function notRunning(stack: Stack, what: string): LabError {
  return new LabError("missing", "not-running", `${what} of stack ${stack.name} does not answer.`, up(stack));
}

function up({ name }: Stack): string {
  return `./lab up${name === "dev" ? "" : ` --stack ${name}`}`;
}
