import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { Problem } from "@lab/service-kit";
import pLimit from "p-limit";

/** How hard a password is to guess from its hash. */
interface Cost {
  memoryKiB: number;
  passes: number;
  lanes: number;
}

/** Of equally good settings the one that takes least memory (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html). */
const cost: Cost = { memoryKiB: 7168, passes: 5, lanes: 1 };
const saltBytes = 16;
const tagBytes = 32;

/** Each takes its memory, and one of the four threads that Node.js has for such work. */
const inTurn = pLimit(2);
/** About a second of work for two. */
const maxWaiting = 50;

const hash = promisify(argon2);

/** What is kept of a password: salted, and slow to compute (argon2id in the PHC string format). */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  return format(cost, salt, await compute(password, salt, cost, tagBytes));
}

/** What the password of somebody unknown is compared with: as much work as for anybody else, and it never matches. */
const decoy = format(cost, randomBytes(saltBytes), randomBytes(tagBytes));

/**
 * Whether a password is the one that was hashed. Without a hash the answer is no, after the same time.
 *
 * @throws Problem 503 when too many wait for the same
 */
export async function verifyPassword(password: string, hashed: string | null): Promise<boolean> {
  const { cost, salt, tag } = parse(hashed ?? decoy);
  const computed = await compute(password, salt, cost, tag.length);
  return timingSafeEqual(computed, tag);
}

/** Whether a hash was made at today's cost. */
export function isCurrentHash(hashed: string): boolean {
  return hashed.startsWith(prefix(cost));
}

function compute(password: string, nonce: Buffer, { memoryKiB, passes, lanes }: Cost, tagLength: number) {
  if (inTurn.pendingCount >= maxWaiting) {
    throw new Problem(503, "Too many log in at this moment. Try again in a second.");
  }
  // The same letters can be typed as different characters (RFC 8265 §4.2).
  const message = password.normalize("NFC");
  return inTurn(() =>
    hash("argon2id", { message, nonce, parallelism: lanes, memory: memoryKiB, passes, tagLength }),
  );
}

function prefix({ memoryKiB, passes, lanes }: Cost): string {
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$`;
}

function format(cost: Cost, salt: Buffer, tag: Buffer): string {
  const encoded = [salt, tag].map((bytes) => bytes.toString("base64").replace(/=+$/, ""));
  return prefix(cost) + encoded.join("$");
}

const pattern = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

function parse(hashed: string): { cost: Cost; salt: Buffer; tag: Buffer } {
  const [, memoryKiB, passes, lanes, salt, tag] = pattern.exec(hashed) ?? [];
  if (salt === undefined || tag === undefined) {
    throw new Error("A password hash in the database can't be read.");
  }
  return {
    cost: { memoryKiB: Number(memoryKiB), passes: Number(passes), lanes: Number(lanes) },
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
}
