import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lab-service-"));
  const kit = resolve(import.meta.dirname, "index.ts");
  // A request to /slow is answered when the file `answer` is asked for by another request.
  await writeFile(
    join(folder, "main.ts"),
    `import { createApp, runService } from ${JSON.stringify(kit)};
     import { z } from ${JSON.stringify(resolve("node_modules/zod/index.js"))};
     await runService({
       environment: z.object({ GREETING: z.string() }),
       async migrate({ environment, log }) { log.info({ greeting: environment.GREETING }, "migrating"); },
       async start({ environment, log, isStopping }) {
         const app = createApp({ name: "test", description: "", log, isStopping });
         // What holds the process, as a connection to a database does.
         const held = setInterval(() => undefined, 1000);
         let release;
         const released = new Promise((resolve) => { release = resolve; });
         app.get("/slow", async (c) => { log.info("waiting"); await released; return c.text(environment.GREETING); });
         process.once("SIGUSR2", release);
         return { app, close: async () => { clearInterval(held); log.info("closed"); } };
       },
     });`,
  );
});

afterAll(async () => {
  for (const child of running) {
    child.kill("SIGKILL");
  }
  await rm(folder, { recursive: true });
});

const environment = { SERVICE_NAME: "test", ENVIRONMENT: "test", PORT: "0", GREETING: "hello" };

function start(env: Record<string, string>, ...args: string[]): ChildProcess {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(folder, "main.ts"), ...args],
    {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Resolves with the first log line that has the message. */
async function logged(child: ChildProcess, message: string): Promise<{ port: number }> {
  let rest = "";
  for await (const piece of child.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
    rest += piece;
    const line = rest.split("\n").find((entry) => entry.includes(`"msg":"${message}"`));
    if (line) {
      return JSON.parse(line);
    }
  }
  throw new Error(`${message} was not logged: ${rest}`);
}

test("refuses to start without its variables, and names them", async () => {
  const child = start({ SERVICE_NAME: "test", ENVIRONMENT: "test" });
  const [said, [code]] = await Promise.all([text(child.stderr as never), once(child, "exit")]);
  expect(code).toBe(1);
  expect(said).toContain("GREETING is not set");
  expect(said).toContain("PORT is not set");
});

test("migrates and ends", async () => {
  const { PORT: _, ...rest } = environment;
  const child = start(rest, "migrate");
  const [said, [code]] = await Promise.all([text(child.stdout as never), once(child, "exit")]);
  expect(code).toBe(0);
  expect(said).toContain('"greeting":"hello"');
});

test("refuses an argument that it does not know", async () => {
  const child = start(environment, "frobnicate");
  const [said, [code]] = await Promise.all([text(child.stderr as never), once(child, "exit")]);
  expect(code).toBe(1);
  expect(said).toContain("frobnicate");
});

test("a taken port ends it", async () => {
  const first = start(environment);
  const { port } = await logged(first, "listening");
  const second = start({ ...environment, PORT: String(port) });
  const [said, [code]] = await Promise.all([text(second.stderr as never), once(second, "exit")]);
  expect(code).toBe(1);
  expect(said).toContain("EADDRINUSE");
  first.kill("SIGKILL");
});

test("finishes the requests that it has, then closes their connections and ends", async () => {
  const child = start(environment);
  const { port } = await logged(child, "listening");
  const agent = new Agent({ keepAlive: true });
  const answer = new Promise<{ body: string; connection?: string }>((resolve, reject) => {
    get({ port, host: "127.0.0.1", path: "/slow", agent }, async (response) =>
      resolve({ body: await text(response), connection: response.headers.connection }),
    ).once("error", reject);
  });
  await logged(child, "waiting");
  child.kill("SIGTERM");
  await logged(child, "stopping");
  await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  child.kill("SIGUSR2");
  expect(await answer).toEqual({ body: "hello", connection: "close" });
  const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  expect(code).toBe(0);
  agent.destroy();
});
