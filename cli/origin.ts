import { readCluster } from "./cluster.ts";
import { notRunning, type Outputs } from "./outputs.ts";
import type { Stack } from "./stack.ts";

/**
 * Where a service's instances answer by themselves, past the gateway: `http://host:port`.
 *
 * @throws LabError when it has none
 */
export async function originsOf(
  stack: Stack,
  outputs: Outputs,
  service: string,
): Promise<[string, ...string[]]> {
  const instances = (await readCluster(outputs)).instances.get(service) ?? [];
  const [first, ...others] = instances.map(({ address }) => `http://${address}`);
  if (!first) {
    throw notRunning(stack, service);
  }
  return [first, ...others];
}
