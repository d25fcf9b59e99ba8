import { expect, test } from "vitest";
import { reasonOf } from "./dead-letter.ts";

const payload = new TextEncoder().encode(
  JSON.stringify({ userId: 12345, name: "Zoë Müller", lines: [{ sku: "tea" }], email: "zoe@example.org" }),
);

test("a reason says what went wrong without the event's values", () => {
  const error = Object.assign(new Error("Duplicate entry 'zoe@example.org' for user 12345 (Zoë Müller)"), {
    code: "ER_DUP_ENTRY",
  });
  const reason = reasonOf(error, payload);
  expect(reason).toBe("Error: ER_DUP_ENTRY: Duplicate entry '?' for user ? (?)");
});

test("a reason fits a header: one line of ASCII, not too long", () => {
  const reason = reasonOf(new Error(`first\r\nsecond: ${"ü".repeat(10)}${"x".repeat(1000)}`), payload);
  expect(reason).toMatch(/^Error: first second: x+$/);
  expect(reason).toHaveLength(300);
});

test("what was thrown need not be an error, nor the payload JSON", () => {
  expect(reasonOf("no", new Uint8Array([255]))).toBe("Error: no");
  expect(reasonOf(undefined, payload)).toBe("Error: undefined");
});
