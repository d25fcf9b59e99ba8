import { expect } from "vitest";
import { type ConsulServer, startConsul } from "../../../../tests/servers/consul.ts";

/** A Consul whose catalog anybody may read, and what a test does with it. */
export interface OpenConsul extends ConsulServer {
  put(path: string, body: object): Promise<void>;
  /** Puts an instance of `shelf` into it, which stays as it is. */
  register(id: string, port: number, settings?: object): Promise<void>;
  deregister(id: string): Promise<void>;
  /** As after a first start: for one that has lost its data. */
  open(): Promise<void>;
}

/** Starts a Consul that is open. */
export async function startOpenConsul(): Promise<OpenConsul> {
  const server = await startConsul();

  async function put(path: string, body: object): Promise<void> {
    const response = await fetch(`${server.address}${path}`, {
      method: "PUT",
      headers: { "x-consul-token": server.managementToken },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(200);
  }

  async function open(): Promise<void> {
    const rules = 'service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }';
    await put("/v1/acl/policy", { Name: "read", Rules: rules });
    await put("/v1/acl/token/00000000-0000-0000-0000-000000000002", { Policies: [{ Name: "read" }] });
  }

  await open();
  return {
    ...server,
    put,
    open,
    register: (id, port, settings) =>
      put("/v1/agent/service/register", {
        ID: id,
        Name: "shelf",
        Address: "127.0.0.1",
        Port: port,
        Check: { CheckID: `${id}-ttl`, TTL: "10m", Status: "passing" },
        ...settings,
      }),
    deregister: (id) => put(`/v1/agent/service/deregister/${id}`, {}),
  };
}
