import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { execa } from "execa";

const trialMs = 120_000;

/** A start of a server, to see which classes it loads. */
export interface Trial {
  /** The folder of its configuration; `${folder}`, `${lib}`, `${port}`, `${port2}` and `${port3}` in it are replaced. */
  configuration: string;
  /** What the server prints when it has started. */
  started: RegExp;
}

/**
 * Starts a server on an empty folder and archives the classes that it has loaded, so that later starts need not parse and
 * verify them again. Java ignores the archive when it, the jars or their paths have changed since: it must be made where the
 * jars stay. From a path with a space Java 17 archives next to nothing.
 *
 * @param archive the file to make
 * @param work takes the server's folder
 * @see https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
 */
export async function archiveClasses(
  trial: Trial,
  settings: { java: string; lib: string; archive: string; work: string; signal?: AbortSignal },
): Promise<void> {
  const { java, lib, archive, work, signal } = settings;
  const folder = await mkdtemp(join(work, "trial-"));
  const [port, port2, port3] = await freePorts(3);
  await configure(trial.configuration, folder, { folder, lib, port, port2, port3 });
  const aside = `${archive}.new`;
  const server = execa(
    "setpriv",
    // So that it ends with us, whatever happens.
    [
      "--pdeathsig",
      "KILL",
      java,
      `-XX:ArchiveClassesAtExit=${aside}`,
      "-Xlog:disable",
      "-Xlog:all=error:stderr",
      "@arguments",
    ],
    {
      cwd: folder,
      env: { NEO4J_HOME: folder, NEO4J_CONF: folder },
      all: true,
      buffer: false,
      reject: false,
      stdin: "ignore",
      cancelSignal: signal,
      timeout: trialMs,
    },
  );
  let started = false;
  let output = "";
  server.all.on("data", (chunk: Buffer) => {
    output += chunk;
    if (!started && trial.started.test(output)) {
      started = true;
      // It writes the archive while it ends, however long that takes.
      process.kill(server.pid as number, "SIGTERM");
    }
  });
  await server;
  await rm(folder, { recursive: true });
  signal?.throwIfAborted();
  if (!started || !existsSync(aside)) {
    throw new Error(`its trial start failed:\n  ${output.trimEnd().split("\n").slice(-8).join("\n  ")}`);
  }
  await rename(aside, archive);
}

/** Copies a trial's configuration into a folder, with values in the place of `${…}`. */
export async function configure(
  source: string,
  folder: string,
  values: Record<string, string | number | undefined>,
): Promise<void> {
  for (const file of await readdir(source)) {
    const text = await readFile(join(source, file), "utf8");
    await writeFile(
      join(folder, file),
      text.replace(/\$\{(\w+)\}/g, (placeholder, name) => String(values[name] ?? placeholder)),
    );
  }
}

/** They are held until all are known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let index = 0; index < count; index++) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
