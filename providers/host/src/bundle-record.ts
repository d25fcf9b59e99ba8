import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "esbuild";

/** From which files a bundle was made, as `make` would know it: by their times and sizes. */
interface BundleRecord {
  /** What made it. */
  builder: string;
  digest: string;
  /** Absolute paths, and what each file looked like. */
  inputs: Record<string, string>;
}

const builder = createHash("sha256")
  .update(version)
  .update(readFileSync(join(import.meta.dirname, "bundle.ts")))
  .digest("hex");

/**
 * The digest of the last bundle of an entry point, if none of the files that it was made from has changed since. Every `pulumi
 * up` asks for it; bundling all services each time would take most of an update that changes nothing.
 */
export function recordedDigest(releases: string, entry: string): string | undefined {
  try {
    const record = JSON.parse(readFileSync(recordFile(releases, entry), "utf8")) as BundleRecord;
    const isCurrent =
      record.builder === builder &&
      Object.entries(record.inputs).every(([file, seen]) => appearance(file) === seen);
    return isCurrent ? record.digest : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Remembers what a bundle was made from.
 *
 * @param inputs absolute paths, each with its {@link appearance}
 */
export function recordBundle(
  releases: string,
  entry: string,
  digest: string,
  inputs: Record<string, string>,
): void {
  const file = recordFile(releases, entry);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    `${file}.${process.pid}.new`,
    JSON.stringify({ builder, digest, inputs } satisfies BundleRecord),
  );
  renameSync(`${file}.${process.pid}.new`, file);
}

/** What tells a changed file from an unchanged one, without reading it. */
export function appearance(file: string): string {
  const { mtimeNs, size, ino } = statSync(file, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

function recordFile(releases: string, entry: string): string {
  return join(releases, "records", `${createHash("sha256").update(entry).digest("hex")}.json`);
}
