import { expect, test } from "vitest";
import { countDays, dayOf, daysBetween, daysIn } from "./days.ts";

test("the day of a moment is the one of UTC", () => {
  expect(dayOf(new Date("2025-10-28T23:59:59.999Z"))).toBe("2025-10-28");
  expect(dayOf(new Date("2025-10-29T00:30:00+01:00"))).toBe("2025-10-28");
});

test("days from one to another, over the end of a month", () => {
  expect(daysBetween("2024-02-28", "2024-03-01")).toEqual(["2024-03-01", "2024-02-29", "2024-02-28"]);
});

test("one day, and none", () => {
  expect(daysBetween("2025-10-28", "2025-10-28")).toEqual(["2025-10-28"]);
  expect(daysBetween("2025-10-29", "2025-10-28")).toEqual([]);
});

test("days are counted without listing them", () => {
  expect(countDays("2024-02-28", "2024-03-01")).toBe(3);
  expect(countDays("2025-10-28", "2025-10-28")).toBe(1);
  expect(countDays("2025-10-29", "2025-10-28")).toBeLessThan(1);
  expect(countDays("0001-01-01", "9999-12-31")).toBeGreaterThan(3_000_000);
});

test("a span that doesn't say is the last seven days", () => {
  const today = dayOf(new Date());
  expect(daysIn({})).toHaveLength(7);
  expect(daysIn({})[0]).toBe(today);
  expect(daysIn({ to: "2025-03-01" })).toEqual(daysBetween("2025-02-23", "2025-03-01"));
  expect(() => daysIn({ from: "2025-03-01", to: "2025-04-01" })).toThrow("31 days");
  expect(() => daysIn({ from: "2025-03-02", to: "2025-03-01" })).toThrow("31 days");
});
