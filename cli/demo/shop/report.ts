import ansis from "ansis";
import { table } from "../../output.ts";
import type { Erasure, Mail, Step } from "./journey.ts";
import type { Visit } from "./trail.ts";

/** A step as it is told on the terminal. */
export function describeStep({ title, request, status, answeredMs, outcome, visits }: Step): string {
  return [
    `${ansis.bold(title)}   ${request} → ${status}, ${answeredMs.toFixed(0)} ms`,
    table(
      ["service", "did", "ms", "and called"],
      visits.map(({ service, what, durationMs, stores }) => [
        service,
        what,
        durationMs.toFixed(1),
        describeStores(stores),
      ]),
    ),
    `  ${outcome}`,
    "",
  ].join("\n");
}

/** `mysql 4 × in 7.5 ms` */
function describeStores(stores: Visit["stores"]): string {
  return Object.entries(stores)
    .map(([store, { calls, ms }]) => `${store} ${calls} × in ${ms.toFixed(1)} ms`)
    .join(", ");
}

export function describeMail({ from, to, subject, text, messageId }: Mail): string {
  return [
    ansis.bold("The mail, as it came"),
    ...[
      `From: ${from}`,
      `To: ${to.join(", ")}`,
      `Subject: ${subject}`,
      `Message-ID: ${messageId}`,
      "",
      ...text.trim().split("\n"),
    ].map((line) => `  │ ${line}`),
  ].join("\n");
}

export function describeErasure({ services }: Erasure): string {
  return [
    ansis.bold("What was erased"),
    table(
      ["service", "records", "at"],
      services.map(({ service, records, erasedAt }) => [service, records, erasedAt]),
    ),
    "The payment provider's ledger and the mail are outside of the shop, and stay.",
  ].join("\n");
}
