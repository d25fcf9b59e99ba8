import { startConsul } from "./consul.ts";

/** A Consul server that anybody may ask, as in a stack. */
export interface Registry {
  /** Its HTTP API. */
  url: string;
  /** Says that a healthy instance of a service listens at this port; again, it is the only one. */
  register(service: string, port: number): Promise<void>;
  deregister(service: string): Promise<void>;
  stop(): Promise<void>;
}

const anonymous = "00000000-0000-0000-0000-000000000002";

export async function startRegistry(): Promise<Registry> {
  const { address, managementToken, stop } = await startConsul();
  const put = async (path: string, body: object) => {
    const response = await fetch(`${address}${path}`, {
      method: "PUT",
      headers: { "x-consul-token": managementToken },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      throw new Error(`Consul answered ${response.status} to PUT ${path}: ${await response.text()}`);
    }
  };
  const Rules = ['service_prefix ""', 'node_prefix ""', 'key "gateway/policies"']
    .map((what) => `${what} { policy = "read" }`)
    .join("\n");
  try {
    await put("/v1/acl/policy", { Name: "read", Rules });
    await put(`/v1/acl/token/${anonymous}`, { Policies: [{ Name: "read" }] });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: address,
    register: (service, port) =>
      put("/v1/agent/service/register", { ID: service, Name: service, Address: "127.0.0.1", Port: port }),
    deregister: (service) => put(`/v1/agent/service/deregister/${service}`, {}),
    stop,
  };
}
