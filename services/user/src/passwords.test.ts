import { argon2Sync } from "node:crypto";
import { expect, test } from "vitest";
import { hashPassword, isCurrentHash, verifyPassword } from "./passwords.ts";

test("a password matches its own hash only, and two hashes of it differ", async () => {
  const [one, other] = await Promise.all([hashPassword("correct horse"), hashPassword("correct horse")]);
  expect(one).toMatch(/^\$argon2id\$v=19\$m=7168,t=5,p=1\$/);
  expect(one).not.toBe(other);
  expect(await verifyPassword("correct horse", one)).toBe(true);
  expect(await verifyPassword("correct horsf", one)).toBe(false);
});

test("the same letters match, however they were typed", async () => {
  expect(await verifyPassword("cafe\u0301 noir", await hashPassword("caf\u00e9 noir"))).toBe(true);
});

test("a hash of another cost still matches, and is told from a current one", async () => {
  const salt = Buffer.alloc(16, 7);
  const tag = argon2Sync("argon2id", {
    message: "correct horse",
    nonce: salt,
    parallelism: 1,
    memory: 19_456,
    passes: 2,
    tagLength: 32,
  });
  const [encodedSalt, encodedTag] = [salt, tag].map((bytes) => bytes.toString("base64").replace(/=+$/, ""));
  const old = `$argon2id$v=19$m=19456,t=2,p=1$${encodedSalt}$${encodedTag}`;
  expect(await verifyPassword("correct horse", old)).toBe(true);
  expect(isCurrentHash(old)).toBe(false);
  expect(isCurrentHash(await hashPassword("correct horse"))).toBe(true);
});

test("an account that is not there takes as long to refuse", async () => {
  const hashed = await hashPassword("correct horse");
  const timeOf = async (stored: string | null) => {
    const startedMs = performance.now();
    expect(await verifyPassword("wrong horse", stored)).toBe(false);
    return performance.now() - startedMs;
  };
  const known: number[] = [];
  const unknown: number[] = [];
  for (let turn = 0; turn < 9; turn++) {
    known.push(await timeOf(hashed));
    unknown.push(await timeOf(null));
  }
  const median = (times: number[]) => times.sort((one, other) => one - other)[4] as number;
  expect(median(unknown) / median(known)).toBeGreaterThan(0.5);
});

test("when too many wait, the next is told to come back", async () => {
  const many = await Promise.allSettled(
    Array.from({ length: 60 }, async () => verifyPassword("wrong horse", null)),
  );
  const refused = many.filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThanOrEqual(10);
  expect(refused[0]).toMatchObject({ reason: { status: 503 } });
});
