import { seconds, table } from "../../output.ts";
import type { Item, Survival } from "./stateless.ts";

/** What was in the carts before and after, and what that shows. */
export function describeSurvivals(survivals: Survival[]): string {
  return [
    table(
      ["job", "keeps carts", "before", "killed", "back after", "after"],
      survivals.map(({ job, keeps, before, pid, recoveredAfterMs, after }) => [
        job,
        keeps,
        describeItems(before),
        `process ${pid}`,
        seconds(recoveredAfterMs),
        describeItems(after),
      ]),
    ),
    ...survivals.map(lesson),
  ].join("\n");
}

function lesson({ job, keeps, before, after }: Survival): string {
  const isKept = JSON.stringify(before) === JSON.stringify(after);
  return `${job} keeps carts ${keeps}: ${isKept ? "the next process has the cart" : "the cart is gone with the process"}.`;
}

function describeItems(items: Item[]): string {
  return items.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(", ") || "empty";
}
