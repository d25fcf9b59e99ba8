import { policiesKey } from "../shop/services.ts";

/** What may be read in Consul without a token: each becomes a policy of its anonymous one. */
export const openToAll = [
  {
    name: "read-health",
    description: "Anyone on this machine may see which services run and how they are",
    rules: `agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\n`,
  },
  {
    // Without a token of its own the gateway has none that a new Consul wouldn't know, and its policies are no secret.
    name: "read-gateway-policies",
    description: "Anyone on this machine may see the gateway's policies",
    rules: `key "${policiesKey}" { policy = "read" }\n`,
  },
];
