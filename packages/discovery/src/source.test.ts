import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Endpoint } from "./endpoint.ts";
import { WatchedList } from "./source.ts";
import { endpoints } from "./testing/endpoints.ts";

class Registry extends WatchedList {
  answer(all: readonly Endpoint[]): boolean {
    return this.replace(all);
  }
  vanish(): void {
    this.fail(new Error("gone"));
  }
}

let registry: Registry;
let told: string[][];

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  registry = new Registry();
  registry.subscribe((all) => told.push(all.map(({ id }) => id)));
});

afterEach(() => {
  vi.useRealTimers();
});

test("tells of changes only, whatever the order of an answer", () => {
  const [one, two] = endpoints(2) as [Endpoint, Endpoint];
  expect(registry.answer([two, one])).toBe(true);
  expect(registry.answer([one, two])).toBe(false);
  expect(registry.answer([one])).toBe(true);
  expect(told).toEqual([["i0", "i1"], ["i0"]]);
});

test("says until when the list is known, and why it is no more", () => {
  expect(registry.status).toEqual({ isKnown: false, isCurrent: false });
  vi.setSystemTime(1000);
  registry.answer(endpoints(1));
  vi.setSystemTime(2000);
  registry.answer(endpoints(1));
  expect(registry.status).toEqual({ isKnown: true, isCurrent: true, changedAtMs: 1000 });
  registry.vanish();
  expect(registry.status).toEqual({ isKnown: true, isCurrent: false, changedAtMs: 1000, error: "gone" });
});

test("a registry that is back lets nobody go for half a minute, and is believed about who is new", () => {
  const [one, two, three] = endpoints(3) as [Endpoint, Endpoint, Endpoint];
  registry.answer([one, two]);
  registry.vanish();
  vi.advanceTimersByTime(60_000);
  registry.answer([one, two]);
  registry.answer([]);
  registry.answer([three]);
  expect(told).toEqual([
    ["i0", "i1"],
    ["i0", "i1", "i2"],
  ]);
  vi.advanceTimersByTime(30_000);
  registry.answer([three]);
  expect(told.at(-1)).toEqual(["i2"]);
});

test("a registry that knows nobody from the beginning is believed", () => {
  registry.vanish();
  registry.answer(endpoints(1));
  registry.answer([]);
  expect(registry.endpoints).toEqual([]);
});
