import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, statSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { EnvHttpProxyAgent, request } from "undici";
import { run } from "./run.ts";
import { fromPath } from "./zip.ts";

/** A publisher's archive, or a program by itself. */
export interface Release {
  /** The archive's URL. */
  url: string;
  /** The URL of the file with its SHA-256, as `sha256sum` writes it. */
  checksums: string;
}

const dispatcher = new EnvHttpProxyAgent({
  connect: { timeout: 3000 },
  headersTimeout: 15_000,
  bodyTimeout: 30_000,
  noProxy: [process.env.no_proxy ?? process.env.NO_PROXY, "localhost", "127.0.0.1"].filter(Boolean).join(","),
});
const maxRedirects = 5;
const maxAttempts = 4;

/**
 * Downloads an archive, checks its published SHA-256 and unpacks it.
 *
 * @param downloads keeps what has arrived so far, so that an interrupted download goes on from there
 * @throws Error that names the URL and what is wrong with it
 */
export async function fetchRelease(
  release: Release,
  downloads: string,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = new URL(release.url).pathname.split("/").at(-1) as string;
  const expected = checksumOf(await text(release.checksums, signal), name);
  if (expected === undefined) {
    throw new Error(`${release.checksums} names no SHA-256 for ${name}.`);
  }
  await mkdir(downloads, { recursive: true });
  const archive = join(downloads, `${expected.slice(0, 16)}-${name}`);
  await downloadChecked(release.url, archive, expected, signal);
  await unpack(archive, name, folder);
  await rm(archive);
}

/** The SHA-256 of a file in a list of checksums; a list of one may leave the name out. */
export function checksumOf(list: string, name: string): string | undefined {
  const lines = list.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const line =
    lines.find(([, file]) => file?.split("/").at(-1) === name) ?? lines.find((parts) => parts.length === 1);
  return line?.[0]?.match(/^[0-9a-f]{64}$/i)?.[0].toLowerCase();
}

async function text(url: string, signal?: AbortSignal): Promise<string> {
  const response = await get(url, {}, signal);
  if (response.statusCode !== 200) {
    await response.body.dump();
    throw new Error(`${url} answered ${response.statusCode}.`);
  }
  return await response.body.text();
}

async function downloadChecked(
  url: string,
  archive: string,
  expected: string,
  signal?: AbortSignal,
): Promise<void> {
  const resumed = await download(url, archive, signal);
  let actual = await sha256(archive);
  if (actual !== expected && resumed) {
    // What an earlier run left may be what is wrong.
    await rm(archive);
    await download(url, archive, signal);
    actual = await sha256(archive);
  }
  if (actual !== expected) {
    await rm(archive);
    throw new Error(`${url} has SHA-256 ${actual}, but its publisher says ${expected}.`);
  }
}

/**
 * Each attempt goes on where the last one broke off.
 *
 * @returns whether a part of it is from an earlier run
 */
async function download(url: string, file: string, signal?: AbortSignal): Promise<boolean> {
  if (existsSync(file)) {
    return true;
  }
  const part = `${file}.part`;
  const resumed = existsSync(part);
  for (let attempt = 1; ; attempt++) {
    const have = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
    const response = await get(url, have > 0 ? { range: `bytes=${have}-` } : {}, signal);
    if (response.statusCode === 416) {
      // There is nothing after what we have: the checksum tells whether it is right.
      await response.body.dump();
      break;
    }
    if (response.statusCode !== 200 && response.statusCode !== 206) {
      await response.body.dump();
      throw new Error(`${url} answered ${response.statusCode}.`);
    }
    try {
      await pipeline(
        response.body,
        createWriteStream(part, { flags: response.statusCode === 206 ? "a" : "w" }),
      );
      break;
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt === maxAttempts) {
        throw new Error(`${url} broke off ${attempt} times (${(error as Error).message}).`);
      }
    }
  }
  await rename(part, file);
  return resumed;
}

async function get(url: string, headers: Record<string, string>, signal?: AbortSignal, redirects = 0) {
  let response: Awaited<ReturnType<typeof request>>;
  try {
    response = await request(url, { dispatcher, headers, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(`${new URL(url).host} can't be reached (${(error as Error).message}).`);
  }
  const location = response.headers.location;
  if (response.statusCode >= 300 && response.statusCode < 400 && typeof location === "string") {
    await response.body.dump();
    if (redirects === maxRedirects) {
      throw new Error(`${url} redirects more than ${maxRedirects} times.`);
    }
    return await get(new URL(location, url).href, headers, signal, redirects + 1);
  }
  return response;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

async function unpack(archive: string, name: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  if (name.endsWith(".zip")) {
    await fromPath(archive, folder);
    return;
  }
  await mkdir(folder, { recursive: true });
  if (/\.(tar\.gz|tgz)$/.test(name)) {
    await run("tar", ["-xzf", archive, "-C", folder]);
  } else {
    await copyFile(archive, join(folder, name));
    await chmod(join(folder, name), 0o755);
  }
}
