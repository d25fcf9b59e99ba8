const dayMs = 86_400_000;

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
