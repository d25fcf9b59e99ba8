import type { GatewayReport } from "@lab/gateway/report";
import { request } from "undici";
import { originsOf } from "../origin.ts";
import type { Outputs } from "../outputs.ts";
import type { Stack } from "../stack.ts";

/** The instances of a service as one gateway sees them. */
export type { GatewayReport };

/**
 * Asks each gateway of a stack what it knows.
 *
 * @throws LabError when there is none
 */
export async function readGateways(stack: Stack, outputs: Outputs): Promise<GatewayReport[]> {
  const origins = await originsOf(stack, outputs, "gateway");
  return Promise.all(
    origins.map(async (origin) => {
      const { body } = await request(new URL("/_gateway/endpoints", origin));
      return (await body.json()) as GatewayReport;
    }),
  );
}
