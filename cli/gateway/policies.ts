import { request } from "undici";
import { policiesKey } from "../../infra/shop/services.ts";
import { LabError } from "../errors.ts";
import { originsOf } from "../origin.ts";
import type { Outputs } from "../outputs.ts";
import { poll } from "../poll.ts";
import type { Stack } from "../stack.ts";
import { readGateways } from "./gateways.ts";

/** How long gateways may take to hear of a change. */
const heardMs = 10_000;

/** The policies in Consul, as they were written; `undefined` when there are none. */
export async function readPolicies(outputs: Outputs): Promise<unknown> {
  const { statusCode, body } = await kv(outputs, "GET", "?raw=true");
  const text = await body.text();
  return statusCode === 200 ? JSON.parse(text) : undefined;
}

/**
 * Writes policies, after a gateway has said that they are valid, and waits until every gateway has taken them.
 *
 * @returns how many gateways have
 * @throws LabError when they are not valid
 */
export async function writePolicies(stack: Stack, outputs: Outputs, policies: unknown): Promise<number> {
  const text = JSON.stringify(policies, null, 2);
  const [origin] = await originsOf(stack, outputs, "gateway");
  const { statusCode, body } = await request(new URL("/_gateway/policies/check", origin), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: text,
  });
  const answer = await body.text();
  if (statusCode !== 204) {
    const { detail } = JSON.parse(answer) as { detail: string };
    throw new LabError(
      "usage",
      "policies",
      `The gateway refuses these policies: ${detail}`,
      "Correct them; the ones in use stay. `lab gateway --json` shows all there are.",
    );
  }
  const written = await kv(outputs, "PUT", "", text);
  await written.body.dump();
  return waitUntilHeard(stack, outputs);
}

/** Removes the policies in Consul, so that those of the configuration count alone. */
export async function removePolicies(stack: Stack, outputs: Outputs): Promise<number> {
  const { body } = await kv(outputs, "DELETE", "");
  await body.dump();
  return waitUntilHeard(stack, outputs);
}

async function waitUntilHeard(stack: Stack, outputs: Outputs): Promise<number> {
  const { headers, body } = await kv(outputs, "GET", "");
  await body.dump();
  const index = Number(headers["x-consul-index"]);
  return poll(
    "the gateways to hear of the policies",
    async () => {
      const gateways = await readGateways(stack, outputs);
      return gateways.every(({ policies }) => (policies.consulIndex ?? -1) >= index)
        ? gateways.length
        : undefined;
    },
    { withinMs: heardMs },
  );
}

function kv(outputs: Outputs, method: "GET" | "PUT" | "DELETE", query: string, body?: string) {
  return request(new URL(`/v1/kv/${policiesKey}${query}`, outputs.urls.consul), {
    method,
    headers: { "x-consul-token": outputs.credentials.consulToken },
    body,
  });
}
