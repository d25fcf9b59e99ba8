import { z } from "@hono/zod-openapi";
import { Problem } from "@lab/service-kit";

const dayMs = 86_400_000;

/** Each day is a partition, and each partition a question to Cassandra. */
const maxDays = 31;

/** How many days a span has that doesn't say. */
const defaultDays = 7;

/** A day of our time, in ISO 8601. */
const day = z.iso
  .date()
  .refine((text) => text >= "1970-01-01" && text < "2200-01-01", "days lie between 1970 and 2199")
  .openapi({ example: "2025-10-28" });

/** The parameters of a span of days. */
export const span = z.object({
  from: day
    .optional()
    .openapi({ description: `By default the first of ${defaultDays} days; from 1970 to 2199.` }),
  to: day.optional().openapi({
    description: `By default today, in UTC; at most ${maxDays} days with \`from\`, up to 2199.`,
  }),
});

/**
 * All days of a span, the latest first.
 *
 * @throws Problem 400 for one that is too long, or ends before it begins
 */
export function daysIn({ from, to = dayOf(new Date()) }: z.infer<typeof span>): string[] {
  const first = from ?? dayOf(new Date(Date.parse(to) - (defaultDays - 1) * dayMs));
  const days = countDays(first, to);
  if (days < 1 || days > maxDays) {
    throw new Problem(400, `Give from and to at most ${maxDays} days apart, the earlier one first.`);
  }
  return daysBetween(first, to);
}

/** The day of a moment, in UTC: `2025-10-28`. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10);
}

/** How many days there are from one to another, both included; 0 or less when `to` is before `from`. */
export function countDays(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / dayMs + 1;
}

/** All days from one to another, both included, the latest first. Empty when `to` is before `from`. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(to); at >= Date.parse(from); at -= dayMs) {
    days.push(dayOf(new Date(at)));
  }
  return days;
}
