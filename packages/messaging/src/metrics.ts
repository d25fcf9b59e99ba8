import { counter, histogram } from "@lab/service-kit";

/** Events that this process has published, with the time until JetStream's acknowledgement. */
export const published = histogram(
  "messaging_publish_seconds",
  "Time until JetStream has acknowledged an event, or until it was clear that it had not",
  ["type", "outcome"],
);

/** What became of each delivery of an event: done, later, dead letter. */
export const handled = counter(
  "messaging_handled_total",
  "Events delivered to this process, by what became of them",
  ["consumer", "type", "outcome"],
);

/** Deliveries of events that had been delivered before, to whomever. */
export const redelivered = counter("messaging_redelivered_total", "Events that came not for the first time", [
  "consumer",
]);
