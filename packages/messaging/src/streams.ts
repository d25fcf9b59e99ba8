import type { Logger } from "@lab/service-kit";
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { deadLetterStream, shopStream } from "./names.ts";

const dayMs = 24 * 60 * 60 * 1000;

const streams: (Partial<StreamConfig> & { name: string })[] = [
  {
    name: shopStream,
    subjects: ["shop.>"],
    max_age: nanos(7 * dayMs),
    // A repeat within it is told by its Nats-Msg-Id; later ones are for the consumers' own memory.
    duplicate_window: nanos(2 * 60 * 1000),
  },
  { name: deadLetterStream, subjects: ["dlq.>"], max_age: nanos(14 * dayMs) },
];

/** Makes the streams that are missing. Those that are there stay as they are. */
export async function ensureStreams(manager: JetStreamManager, log: Logger): Promise<void> {
  for (const stream of streams) {
    try {
      await manager.streams.info(stream.name);
    } catch (error) {
      if (!isStreamMissing(error)) {
        throw error;
      }
      // Another may do so at the same time: the same stream again is no error.
      await manager.streams.add({
        ...stream,
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        discard: DiscardPolicy.Old,
      });
      log.warn({ stream: stream.name }, "a stream was missing, and is made");
    }
  }
}

/** Whether an error says that a stream isn't there. */
export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}
