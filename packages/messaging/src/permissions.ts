import {
  allPartitions,
  deadLetterStream,
  deadLetterSubject,
  durableOf,
  inboxPrefixOf,
  shopStream,
  subjectIn,
} from "./names.ts";

/** What a service does with events. */
export interface MessagingUse {
  /** The service, which is its NATS user and the name of its consumers. */
  name: string;
  /** The types that it publishes, such as `order.placed.v1`. */
  publishes: readonly string[];
  /** The types that it handles. */
  consumes: readonly string[];
}

/** The subjects that a NATS user may use; anything else is refused. */
export interface MessagingPermissions {
  publish: string[];
  subscribe: string[];
}

/** The least that a service's NATS user needs. */
export function permissionsOf({ name, publishes, consumes }: MessagingUse): MessagingPermissions {
  const makesStreams = [shopStream, deadLetterStream].flatMap((stream) => [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.CREATE.${stream}`,
  ]);
  const consumesPartitions = allPartitions.flatMap((partition) => {
    const durable = `${shopStream}.${durableOf(name, partition)}`;
    return [
      `$JS.API.CONSUMER.DURABLE.CREATE.${durable}`,
      `$JS.API.CONSUMER.INFO.${durable}`,
      `$JS.API.CONSUMER.MSG.NEXT.${durable}`,
      `$JS.ACK.${durable}.>`,
    ];
  });
  return {
    publish: [
      ...publishes.map((type) => subjectIn("*", type)),
      ...makesStreams,
      ...(consumes.length > 0 ? [deadLetterSubject(name, ">"), ...consumesPartitions] : []),
    ],
    subscribe: [`${inboxPrefixOf(name)}.>`],
  };
}
