import pLimit from "p-limit";
import { Agent, request } from "undici";
import { LabError } from "../errors.ts";
import type { SeedRequest, SeedStep } from "./data.ts";

/** How many requests are under way at once. */
const concurrency = 16;

/**
 * Sends the steps one after another through the gateway.
 *
 * @param done told after each step
 */
export async function loadSeed(
  gatewayUrl: string,
  steps: SeedStep[],
  done: (step: SeedStep) => void,
): Promise<void> {
  const agent = new Agent({ connections: concurrency });
  const limit = pLimit(concurrency);
  try {
    for (const step of steps) {
      await Promise.all(step.requests.map((item) => limit(() => put(agent, gatewayUrl, item))));
      done(step);
    }
  } finally {
    await agent.destroy();
  }
}

async function put(agent: Agent, gatewayUrl: string, { path, body }: SeedRequest): Promise<void> {
  const answer = await request(new URL(path, gatewayUrl), {
    method: "PUT",
    dispatcher: agent,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) {
    throw new LabError(
      "failed",
      "seed-refused",
      `PUT ${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`,
      "./lab status shows whether all services are healthy; ./lab seed can be run again.",
    );
  }
}
