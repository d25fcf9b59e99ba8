import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Outputs } from "../outputs.ts";
import { notRunning } from "../outputs.ts";
import type { Stack } from "../stack.ts";

/** Runs with a look into the stack's JetStream, as the user who may do everything with the shop's streams. */
export async function withOperator<T>(
  stack: Stack,
  { urls, credentials }: Outputs,
  run: (manager: JetStreamManager) => Promise<T>,
): Promise<T> {
  const { user, password } = credentials.nats;
  const connection = await connect({
    servers: urls.nats,
    user,
    pass: password,
    name: "lab",
    reconnect: false,
    timeout: 5000,
  }).catch(() => {
    throw notRunning(stack, "NATS");
  });
  try {
    return await run(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}
