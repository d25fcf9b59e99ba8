import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeEvent, encodeEvent, UnreadableEventError } from "./cloud-event.ts";
import { eventOf, partitionOf, stableId, subjectOf } from "./event.ts";
import { partitions } from "./names.ts";

const visible = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });
const anEvent = fc
  .record({
    id: fc.stringMatching(/^[!-~]{1,100}$/),
    source: visible,
    key: visible,
    time: fc
      .date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true })
      .map((date) => date.toISOString()),
    userId: fc.integer({ min: 1 }),
    name: visible,
  })
  .map(({ userId, name, ...parts }) =>
    eventOf("user.changed.v1", { ...parts, data: { userId, name, email: `${userId}@example.org` } }),
  );

test("an event is the same after its way through headers and payload", () => {
  fc.assert(
    fc.property(anEvent, (event) => {
      const { headers, payload } = encodeEvent(event);
      expect(decodeEvent({ headers, data: new TextEncoder().encode(payload) })).toEqual(event);
    }),
  );
});

test("headers hold nothing but visible ASCII, whatever an event's names are", () => {
  fc.assert(
    fc.property(anEvent, (event) => {
      for (const [, values] of encodeEvent(event).headers) {
        expect(values.join("")).toMatch(/^[!-~]+$/);
      }
    }),
  );
});

test("a key has one partition, whatever happens to it, and its subject says which", () => {
  fc.assert(
    fc.property(visible, (key) => {
      const partition = partitionOf(key);
      expect(partition).toBeGreaterThanOrEqual(0);
      expect(partition).toBeLessThan(partitions);
      expect(subjectOf({ key, type: "order.placed.v1" })).toBe(`shop.${partition}.order.placed.v1`);
    }),
  );
});

test("keys stay in the partitions that they had in earlier releases", () => {
  expect(["1", "2", "3", "4", "5", "101"].map(partitionOf)).toEqual([3, 2, 5, 7, 5, 2]);
});

test("people spread over all partitions about evenly", () => {
  const counts = Array.from({ length: partitions }, () => 0);
  for (let userId = 1; userId <= 8000; userId++) {
    const partition = partitionOf(String(userId));
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(800);
});

test("a stable id is a UUID that depends on every part, and on where parts end", () => {
  const ids = [
    stableId("stock.reserved.v1", "1"),
    stableId("stock.reserved.v1", "2"),
    stableId("stock.reserved.v11"),
  ];
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(stableId("stock.reserved.v1", "1")).toBe(ids[0]);
});

test("what a schema does not name never gets into an event", () => {
  const person = { userId: 1, name: "Riya", email: "riya@example.org", password: "secret" };
  const event = eventOf("user.registered.v1", { key: "1", source: "user", data: person });
  expect(JSON.stringify(event)).not.toContain("secret");
});

test("an event that does not fit its schema is refused where it is made", () => {
  const data = { orderId: "o-1", userId: 0 };
  expect(() => eventOf("order.confirmed.v1", { key: "1", source: "order", data })).toThrow(/userId/);
});

test.each([
  ["no header at all", {}, "{}", /ce-specversion/],
  ["a type of nobody's", { "ce-type": "shop.order.eaten.v1" }, "{}", /not known/],
  ["no JSON", {}, "{", /no JSON/],
  ["data of another type", {}, '{"orderId":"secret-1"}', /userId invalid_type/],
])("a message with %s is told apart, and its data is not repeated", (name, changes, payload, complaint) => {
  const event = eventOf("order.confirmed.v1", {
    key: "1",
    source: "order",
    data: { orderId: "o-1", userId: 1 },
  });
  const { headers } = encodeEvent(event);
  for (const [header, value] of Object.entries(changes)) {
    headers.set(header, value);
  }
  const message = {
    ...(name === "no header at all" ? {} : { headers }),
    data: new TextEncoder().encode(payload),
  };
  expect(() => decodeEvent(message)).toThrow(UnreadableEventError);
  expect(() => decodeEvent(message)).toThrow(complaint);
  expect(() => decodeEvent(message)).not.toThrow(/secret/);
});
