import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import mysql from "mysql2/promise";
import { request } from "undici";
import { beforeAll, expect, test } from "vitest";
import { asLabError, exitCodes } from "./errors.ts";

/** A port at which nothing listens. */
let port: number;

beforeAll(async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  ({ port } = server.address() as AddressInfo);
  await once(server.close(), "close");
});

test.each<[client: string, ask: () => Promise<unknown>]>([
  ["Nomad, Consul or a service", () => request(`http://127.0.0.1:${port}/v1/jobs`)],
  ["a server that has a name", () => fetch(`http://localhost:${port}/`)],
  ["MySQL", () => mysql.createConnection({ host: "127.0.0.1", port, user: "lab" })],
])("an environment that is down is no mistake of the lab: %s", async (_client, ask) => {
  const error = asLabError(await ask().catch((thrown: unknown) => thrown));
  expect(error).toMatchObject({ code: "not-running", exitCode: exitCodes.missing });
  expect(error.message).toContain(`:${port}`);
  expect(error.remedy).toContain("./lab up");
});

test("what nobody has thought of stays a mistake of the lab", () => {
  expect(asLabError(new TypeError("x is not a function"))).toMatchObject({ exitCode: exitCodes.unexpected });
});
