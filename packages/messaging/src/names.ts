/** The stream of the shop's events, `shop.<partition>.<type>`. */
export const shopStream = "SHOP";

/** The stream of events that a consumer has given up, `dlq.<service>.<type>`. */
export const deadLetterStream = "SHOP_DLQ";

/** Over how many partitions the keys are spread. To change it moves keys: see the README. */
export const partitions = 8;

/** The numbers of all partitions. */
export const allPartitions: readonly number[] = Array.from({ length: partitions }, (_, index) => index);

/** The subject of a type's events in a partition, or with `*` in all of them. */
export function subjectIn(partition: number | "*", type: string): string {
  return `shop.${partition}.${type}`;
}

/** The durable consumer of a service for a partition. */
export function durableOf(service: string, partition: number): string {
  return `${service}-${partition}`;
}

/** Where a service's dead letters of a type go. */
export function deadLetterSubject(service: string, type: string): string {
  return `dlq.${service}.${type}`;
}

/** What the subjects of a user's answers begin with. */
export function inboxPrefixOf(user: string): string {
  return `_INBOX_${user}`;
}
