import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConsulServer, startConsul } from "../../tests/servers/consul.ts";
import { openToAll } from "./open-to-all.ts";

const anonymousToken = "00000000-0000-0000-0000-000000000002";

let consul: ConsulServer;

beforeAll(async () => {
  consul = await startConsul();
  for (const { name, description, rules } of openToAll) {
    await managed("/v1/acl/policy", { Name: name, Description: description, Rules: rules });
  }
  await managed(`/v1/acl/token/${anonymousToken}`, {
    Policies: openToAll.map(({ name }) => ({ Name: name })),
  });
});

afterAll(() => consul?.stop());

/** A request of somebody who may do everything. */
async function managed(path: string, body: object): Promise<void> {
  const response = await fetch(`${consul.address}${path}`, {
    method: "PUT",
    headers: { "x-consul-token": consul.managementToken },
    body: JSON.stringify(body),
  });
  expect(response.status, path).toBe(200);
}

function anonymous(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`${consul.address}${path}`, init);
}

test("without a token one can wait for the gateway's policies to be written", async () => {
  const none = await anonymous("/v1/kv/gateway/policies");
  expect(none.status).toBe(404);
  const written = anonymous(
    `/v1/kv/gateway/policies?raw&index=${none.headers.get("x-consul-index")}&wait=60s`,
  );
  await managed("/v1/kv/gateway/policies", { retries: 1 });
  expect(await (await written).json()).toEqual({ retries: 1 });
});

test.each([
  ["write them", "PUT", "/v1/kv/gateway/policies"],
  ["remove them", "DELETE", "/v1/kv/gateway/policies"],
  ["read what lies beside them", "GET", "/v1/kv/gateway/policies-of-others"],
  ["read anything else", "GET", "/v1/kv/lab/dev/region"],
])("without a token nobody can %s", async (_what, method, path) => {
  const { status } = await anonymous(path, { method, ...(method === "PUT" ? { body: "{}" } : {}) });
  expect(status).toBe(403);
});

test("without a token nobody can see which other keys there are", async () => {
  await managed("/v1/kv/gateway/policies", {});
  await managed("/v1/kv/lab/dev/region", {});
  expect(await (await anonymous("/v1/kv/?keys")).json()).toEqual(["gateway/policies"]);
});

test("without a token one can see which services run", async () => {
  expect((await anonymous("/v1/health/service/consul")).status).toBe(200);
});
