import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { type ConsulServer, startConsul } from "../../../tests/servers/consul.ts";
import { ServiceWatch } from "./watch.ts";

let consul: ConsulServer;

beforeAll(async () => {
  consul = await startConsul();
  await put("/v1/acl/policy", {
    Name: "read",
    Rules: 'service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }',
  });
  await put("/v1/acl/token/00000000-0000-0000-0000-000000000002", { Policies: [{ Name: "read" }] });
});

afterAll(() => consul?.stop());

async function put(path: string, body: object): Promise<void> {
  const response = await fetch(`${consul.address}${path}`, {
    method: "PUT",
    headers: { "x-consul-token": consul.managementToken },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

function register(id: string, port: number, status: "passing" | "critical"): Promise<void> {
  return put("/v1/agent/service/register", {
    ID: id,
    Name: "shelf",
    Address: "127.0.0.1",
    Port: port,
    Check: { CheckID: `${id}-ttl`, TTL: "10m", Status: status },
  });
}

test("follows the instances of a service whose checks pass", async () => {
  const seen: number[] = [];
  const watch = new ServiceWatch({
    consulUrl: consul.address,
    service: "shelf",
    onChange: (endpoints) => seen.push(endpoints.length),
  });
  const origins = () => watch.endpoints.map(({ origin }) => origin);
  try {
    await until("Consul's first answer", () => watch.isKnown);
    expect(watch.endpoints).toEqual([]);
    await register("one", 1001, "passing");
    await register("two", 1002, "critical");
    await until("the first instance", () => watch.endpoints.length === 1);
    expect(origins()).toEqual(["http://127.0.0.1:1001"]);
    await put("/v1/agent/check/update/two-ttl", { Status: "passing" });
    await until("the second instance", () => watch.endpoints.length === 2);
    await put("/v1/agent/service/deregister/one", {});
    await until("the first to go", () => watch.endpoints.length === 1);
    expect(origins()).toEqual(["http://127.0.0.1:1002"]);
    expect(seen).toEqual([1, 2, 1]);
  } finally {
    await watch.close();
  }
});

test("keeps the last list while Consul can't be asked, and says so", async () => {
  const errors: Error[] = [];
  const watch = new ServiceWatch({
    consulUrl: "http://127.0.0.1:1",
    service: "shelf",
    onError: (error) => errors.push(error),
  });
  try {
    await until("an error", () => errors.length > 1);
    expect(watch.isKnown).toBe(false);
    expect(watch.endpoints).toEqual([]);
  } finally {
    await watch.close();
  }
});
