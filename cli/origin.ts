import { readCluster } from "./cluster.ts";
import { notRunning, type Outputs } from "./outputs.ts";
import type { Stack } from "./stack.ts";

/**
 * Where a service's first instance answers by itself, past the gateway: `http://host:port`.
 *
 * @throws LabError when it has none
 */
export async function originOf(stack: Stack, outputs: Outputs, service: string): Promise<string> {
  const [instance] = (await readCluster(outputs)).instances.get(service) ?? [];
  if (!instance) {
    throw notRunning(stack, service);
  }
  return `http://${instance.address}`;
}
