import type { ConsumerInfo, StreamInfo } from "@nats-io/jetstream";

/** A stream of the shop. */
export interface StreamReport {
  name: string;
  messages: number;
  bytes: number;
  /** Consumers that read it. */
  consumers: number;
  /** When the newest message came, in ISO 8601; none in an empty stream. */
  newest?: string;
}

/** One service's place in one partition. */
export interface ConsumerReport {
  service: string;
  partition: number;
  /** Messages that were not given out yet. */
  pending: number;
  /** Given out and not acknowledged: in hand, or waiting for another attempt. At most one. */
  ackPending: number;
  /** Those of them that were given out before. */
  redelivered: number;
  /** Pulls that wait for a message: one for each instance that is idle in the partition. */
  waiting: number;
}

export interface QueueReport {
  streams: StreamReport[];
  consumers: ConsumerReport[];
  /** The sums over each service's partitions. */
  services: Omit<ConsumerReport, "partition">[];
}

/** What waits in the streams, and for whom. */
export function reportOf(streams: StreamInfo[], consumers: ConsumerInfo[]): QueueReport {
  const reports = consumers
    .map(reportOfConsumer)
    .sort((one, other) => one.service.localeCompare(other.service) || one.partition - other.partition);
  return {
    streams: streams.map(({ config, state }) => ({
      name: config.name,
      messages: state.messages,
      bytes: state.bytes,
      consumers: state.consumer_count,
      ...(state.messages > 0 ? { newest: new Date(state.last_ts).toISOString() } : {}),
    })),
    consumers: reports,
    services: [...Map.groupBy(reports, ({ service }) => service)].map(([service, ofService]) => ({
      service,
      pending: sum(ofService.map(({ pending }) => pending)),
      ackPending: sum(ofService.map(({ ackPending }) => ackPending)),
      redelivered: sum(ofService.map(({ redelivered }) => redelivered)),
      waiting: sum(ofService.map(({ waiting }) => waiting)),
    })),
  };
}

/** Durable consumers are named `<service>-<partition>`, and a service's name may have hyphens. */
function reportOfConsumer(info: ConsumerInfo): ConsumerReport {
  const hyphen = info.name.lastIndexOf("-");
  return {
    service: info.name.slice(0, hyphen),
    partition: Number(info.name.slice(hyphen + 1)),
    pending: info.num_pending,
    ackPending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    waiting: info.num_waiting,
  };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
