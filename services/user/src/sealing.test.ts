import { expect, test } from "vitest";
import { createSealing } from "./sealing.ts";

const sealing = createSealing("0123456789abcdef0123456789abcdef");

test("what was sealed opens with the same key, for the same purpose", () => {
  const sealed = sealing.seal("secret", "key one");
  expect(sealed.toString("latin1")).not.toContain("secret");
  expect(sealing.open(sealed, "key one")).toBe("secret");
  expect(sealing.seal("secret", "key one")).not.toEqual(sealed);
});

test("another key, another purpose, or a changed byte opens nothing, and the error says no secret", () => {
  const sealed = sealing.seal("secret", "key one");
  const other = createSealing("another key of 32 characters or more");
  const changed = Buffer.from(sealed);
  changed.writeUInt8(changed.readUInt8(30) ^ 1, 30);
  for (const open of [
    () => other.open(sealed, "key one"),
    () => sealing.open(sealed, "key two"),
    () => sealing.open(changed, "key one"),
    () => sealing.open(Buffer.alloc(3), "key one"),
  ]) {
    expect(open).toThrow("can't be opened with this KEY_ENCRYPTION_KEY");
  }
});
