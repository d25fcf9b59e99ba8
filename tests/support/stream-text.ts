import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { shopStream } from "../../packages/messaging/src/names.ts";

/**
 * All that a stack's stream of events holds, as text: subjects, headers and data.
 *
 * @param environment what `lab env` gives
 */
export async function streamText(environment: Record<string, string>): Promise<string> {
  const { NATS_URL: servers, NATS_USER: user, NATS_PASSWORD: pass } = environment;
  const connection = await connect({ servers, user, pass, reconnect: false });
  try {
    const consumer = await jetstream(connection).consumers.get(shopStream, {});
    const lines: string[] = [];
    let left = (await consumer.info()).num_pending;
    while (left > 0) {
      const message = await consumer.next();
      if (!message) {
        throw new Error(`${left} messages of the stream did not come.`);
      }
      const headers = [...(message.headers ?? [])].map(([name, values]) => `${name}: ${values.join(", ")}`);
      lines.push(message.subject, ...headers, message.string());
      left = message.info.pending;
    }
    return lines.join("\n");
  } finally {
    await connection.close();
  }
}
