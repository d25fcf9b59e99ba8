import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "esbuild";

/** What a bundle is made from. */
export interface BundleSource {
  entry: string;
  /** Files that lie beside the program in the archive: their paths by the names that they have there. */
  assets?: Readonly<Record<string, string>> | undefined;
}

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
 * The digest of the last bundle of a source, if none of the files that it was made from has changed since. Every `pulumi
 * up` asks for it; bundling all services each time would take most of an update that changes nothing.
 */
export function recordedDigest(releases: string, source: BundleSource): string | undefined {
  try {
    const record = JSON.parse(readFileSync(recordFile(releases, source), "utf8")) as BundleRecord;
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
  source: BundleSource,
  digest: string,
  inputs: Record<string, string>,
): void {
  const file = recordFile(releases, source);
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

/** Of an entry point with other assets there is another record: theirs says nothing of these. */
function recordFile(releases: string, { entry, assets = {} }: BundleSource): string {
  const source = JSON.stringify([entry, Object.entries(assets).toSorted()]);
  return join(releases, "records", `${createHash("sha256").update(source).digest("hex")}.json`);
}
