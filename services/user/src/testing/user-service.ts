import { readEnvironment } from "@lab/service-kit";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { freePorts } from "../../../../providers/host/src/ports.ts";
import { type Identities, startIdentities } from "../../../../tests/servers/identities.ts";
import type { MysqlServer } from "../../../../tests/servers/mysql.ts";
import { type ServiceProcess, startService } from "../../../../tests/servers/service.ts";
import { silentLog } from "../../../../tests/support/silent-log.ts";
import { service } from "../service.ts";

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects in there
  body: any;
}

/** A user service on a database of its own, migrated. */
export interface UserService extends ServiceProcess {
  environment: Record<string, string>;
  identities: Identities;
  /** The gateway's token in place of a person's own, whether the log-in has ended or not. */
  internalOf(token: string): Promise<string>;
  /** Asks with the gateway's token in place of a person's own. */
  call(method: string, path: string, options?: { token?: string; body?: unknown }): Promise<Answer>;
  /** Registers somebody whose email begins with this name, and logs in. */
  join(name: string): Promise<{ id: number; token: string; email: string; password: string }>;
  /** The administrator's token. */
  admin(): Promise<string>;
}

export const administrator = { email: "admin@example.org", password: "the password of the admin" };

/** The services that are asked to erase a person. */
export const erasers = ["product", "cart", "ninth"];

const people = { issuer: "polyglot-lab", audience: "shop" };

/** @param accounts the variables of those of NATS and Redis; without them nobody answers at their ports */
export async function startUserService(
  mysql: MysqlServer,
  accounts: Record<string, string> = {},
): Promise<UserService> {
  const [port, identities] = await Promise.all([freePorts(1), startIdentities()]);
  const environment = asText({
    ...mysql.environmentOf("user"),
    ...{ NATS_URL: "nats://127.0.0.1:1", NATS_USER: "user", NATS_PASSWORD: "none" },
    ...{ REDIS_HOST: "127.0.0.1", REDIS_PORT: 1, REDIS_USER: "user", REDIS_PASSWORD: "none" },
    ...accounts,
    ...identities.environment,
    PORT: port,
    LOG_LEVEL: "trace",
    TOKEN_ISSUER: people.issuer,
    TOKEN_AUDIENCE: people.audience,
    KEY_ENCRYPTION_KEY: "0123456789abcdef0123456789abcdef",
    ADMIN_EMAIL: administrator.email,
    ADMIN_PASSWORD: administrator.password,
    ERASERS: erasers.join(","),
  });
  await migrateUserService(environment);
  const process = await startService("user", environment);
  const keys = createRemoteJWKSet(new URL(`${process.url}/api/users/jwks.json`), { cooldownDuration: 0 });
  const internalOf: UserService["internalOf"] = async (token) => {
    const { payload } = await jwtVerify<{ role: "customer" | "admin" }>(token, keys, people);
    const { sub, role, jti, exp } = payload;
    return identities.tokenOf(Number(sub), role, { sid: jti as string, sid_exp: exp as number });
  };
  const call: UserService["call"] = async (method, path, { token, body } = {}) => {
    const response = await fetch(`${process.url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${await internalOf(token)}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  };
  return {
    ...process,
    async stop() {
      identities.stop();
      return process.stop();
    },
    environment,
    identities,
    internalOf,
    call,
    async join(name) {
      const account = {
        name,
        email: `${name.toLowerCase()}@example.org`,
        password: `the password of ${name}`,
      };
      const { body } = await call("POST", "/api/users", { body: account });
      const { email, password } = account;
      const session = await call("POST", "/api/users/login", { body: { email, password } });
      return { id: body.id, token: session.body.token, email, password };
    },
    async admin() {
      return (await call("POST", "/api/users/login", { body: administrator })).body.token;
    },
  };
}

/** Brings the database to what the service expects, as the job `user-migrate` does. */
export async function migrateUserService(environment: Record<string, string>): Promise<void> {
  const common = {
    SERVICE_NAME: "user",
    ENVIRONMENT: "test",
    INSTANCE_ID: "migrate",
    LOG_LEVEL: "error",
  } as const;
  await service.migrate?.({
    environment: { ...common, ...readEnvironment(service.environment, environment) },
    log: silentLog,
    isStopping: () => false,
  });
}

/** As environment variables are. */
export function asText(values: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
