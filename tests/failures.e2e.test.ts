import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa, type ResultPromise } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StatusReport } from "../cli/commands/status.ts";
import { labProcessesOf } from "../cli/processes.ts";
import { type Person, ShopClient } from "../cli/shop-client.ts";
import { serviceNames } from "../infra/shop/services.ts";
import { commandOf } from "../providers/host/src/identity.ts";
import { processesOf } from "../providers/host/src/stop.ts";
import { until } from "./servers/agent.ts";
import { createThrowawayLab, type ThrowawayLab, text } from "./support/throwaway-lab.ts";

/** The jobs that are no services of the shop: five databases, NATS and the artifact store. */
const serverCount = 7;

/** How long Nomad may take to bring something back. */
const recoveryMs = 120_000;

let lab: ThrowawayLab;
let tokens: Record<string, string>;
let shop: ShopClient;
/** Somebody who may do everything. */
let admin: Person;

beforeAll(async () => {
  lab = await createThrowawayLab("broken");
});

afterAll(async () => {
  await shop?.close();
  await lab?.remove();
});

function stackFolder(): string {
  return join(lab.home, lab.stack);
}

/** Starts `lab up`, and sends a signal to it and all that it started as soon as it says something. */
async function upUntil(said: RegExp, signal: NodeJS.Signals): Promise<number | undefined> {
  const run = lab.start(["up"]) as ResultPromise<{ reject: false }>;
  let isSent = false;
  for await (const line of run.iterable({ from: "stderr" })) {
    if (!isSent && said.test(line)) {
      isSent = true;
      process.kill(-(run.pid as number), signal);
    }
  }
  expect(isSent, `lab up said nothing like ${said}`).toBe(true);
  return (await run).exitCode;
}

async function healthy(): Promise<boolean> {
  const { jobs } = await lab.json<StatusReport>(["status"]);
  return jobs.length > 0 && jobs.every(({ state }) => state !== "unhealthy");
}

/** What every service has acknowledged, and where it is read again. */
const writes = [
  { write: "/api/users/7001", body: { name: "Kept", email: "kept@example.org" }, read: "/api/users/7001" },
  {
    write: "/api/products/kept-1",
    body: { name: "Kept", category: "kept", priceCents: 1 },
    read: "/api/products/kept-1",
  },
  { write: "/api/cart/me/items/kept-1", body: { quantity: 3 }, read: "/api/cart/me" },
  { write: "/api/analytics/rows/7001/kept", body: { value: "yes" }, read: "/api/analytics/rows/7001" },
  { write: "/api/social/people/7001", body: { name: "Kept" }, read: "/api/social/people/7001/friends" },
];

async function writeAll(): Promise<void> {
  for (const { write, body } of writes) {
    await admin.ask("PUT", write, { body });
  }
}

async function expectAllWrites(): Promise<void> {
  for (const { read } of writes) {
    await admin.ask("GET", read);
  }
  expect(await admin.ask("GET", "/api/cart/me")).toMatchObject({
    items: [{ sku: "kept-1", quantity: 3 }],
  });
}

describe("an interrupted up is completed by the next", () => {
  test("Ctrl-C while the platform starts", async () => {
    expect(await upUntil(/Process consul created/, "SIGINT")).toBe(130);
  });

  test("kill -9 while jobs start", async () => {
    await upUntil(/Job artifacts created/, "SIGKILL");
  });

  test("up completes it, and removes the lock of the killed one", async () => {
    const { exitCode, stderr } = await lab.lab(["up"]);
    expect(stderr).toContain("Removed the lock");
    expect(processesOf(lab.home).filter((pid) => commandOf(pid).includes("pulumi"))).toEqual([]);
    expect(exitCode, stderr).toBe(0);
    tokens = await lab.json(["env"]);
    shop = new ShopClient(`http://127.0.0.1:${lab.portBase + 50}`);
    admin = await shop.login({
      email: tokens.SHOP_ADMIN_EMAIL as string,
      password: tokens.SHOP_ADMIN_PASSWORD as string,
    });
    await writeAll();
  });
});

describe("kill -9", () => {
  /** The names of the jobs by the ids of their allocations. */
  async function jobsByAllocation(): Promise<Map<string, string>> {
    const response = await fetch(`${tokens.NOMAD_ADDR}/v1/allocations`, {
      headers: { "x-nomad-token": tokens.NOMAD_TOKEN as string },
    });
    const allocations = (await response.json()) as Array<{ ID: string; JobID: string }>;
    return new Map(allocations.map(({ ID, JobID }) => [ID, JobID]));
  }

  test.each(["task", "executor"] as const)("of every %s: Nomad brings each back", async (kind) => {
    const jobs = await jobsByAllocation();
    const victims = labProcessesOf(stackFolder()).filter((process) => process.kind === kind);
    expect(new Set(victims.map(({ of }) => jobs.get(of.split("/")[0] as string))).size).toBe(
      serviceNames.length + serverCount,
    );
    for (const { pid, of } of victims) {
      process.kill(pid, "SIGKILL");
      await until(
        `${jobs.get(of.split("/")[0] as string)} to have another ${kind}`,
        () =>
          labProcessesOf(stackFolder()).some(
            (other) => other.kind === "task" && other.of === of && other.pid !== pid,
          ),
        recoveryMs,
      );
    }
    await until("all to be healthy", healthy, recoveryMs);
    await expectAllWrites();
  });

  test.each(["nomad", "consul"])("of %s: plain pulumi up brings it back", async (agent) => {
    const { stdout: exports } = await lab.lab(["env"]);
    const victim = labProcessesOf(stackFolder()).find(({ kind, of }) => kind === "agent" && of === agent);
    process.kill(victim?.pid as number, "SIGKILL");
    const { exitCode, all } = await execa(
      "sh",
      ["-c", `${exports}\npulumi up --yes --skip-preview --non-interactive`],
      {
        cwd: lab.root,
        all: true,
        reject: false,
        stdin: "ignore",
      },
    );
    expect(exitCode, all).toBe(0);
    await until("all to be healthy", healthy, recoveryMs);
    await expectAllWrites();
  });

  test("of everything at once: up brings all back", async () => {
    for (const { pid } of labProcessesOf(stackFolder())) {
      process.kill(pid, "SIGKILL");
    }
    const { exitCode, stderr } = await lab.lab(["up"]);
    expect(exitCode, stderr).toBe(0);
    expect(await healthy()).toBe(true);
    await expectAllWrites();
  });
});

describe("a mistake", () => {
  test("a broken job file is one clear error, and mended is no error any more", async () => {
    const file = join(lab.root, "jobs/nats.nomad.hcl");
    const good = await text(file);
    await writeFile(file, good.replace('group "nats"', 'gruop "nats"'));
    const { exitCode, stderr } = await lab.lab(["up"]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain("gruop");
    await writeFile(file, good);
    await lab.json(["up"]);
  });

  test("a service that can't start is an error with its last lines; the old one goes on", async () => {
    const file = join(lab.root, "services/cart/src/main.ts");
    const good = await text(file);
    await writeFile(file, `throw new Error("broken on purpose");\n${good}`);
    const { exitCode, stderr } = await lab.lab(["up"]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain("broken on purpose");
    await expectAllWrites();
    await writeFile(file, good);
    await lab.json(["up"]);
  });

  test("a wrong passphrase is one clear error", async () => {
    const file = join(lab.home, "passphrase");
    const good = await text(file);
    await writeFile(file, "wrong\n");
    const { exitCode, stderr } = await lab.lab(["up"]);
    await writeFile(file, good);
    expect(exitCode).toBe(4);
    expect(stderr).toContain("passphrase");
  });
});

describe("destroy", () => {
  test("of an environment whose processes are all dead leaves nothing", async () => {
    for (const { pid } of labProcessesOf(stackFolder())) {
      process.kill(pid, "SIGKILL");
    }
    const { exitCode, stderr } = await lab.lab(["destroy", "--yes"]);
    expect(exitCode, stderr).toBe(0);
    expect(labProcessesOf(stackFolder())).toEqual([]);
    expect((await execa("cat", ["/proc/self/mounts"])).stdout).not.toContain(
      stackFolder().replaceAll(" ", "\\040"),
    );
  });

  test("of an environment that is half made leaves nothing", async () => {
    await upUntil(/Process nomad created/, "SIGKILL");
    // Pulumi's file backend does not write these atomically: half of one, and no command could read the state.
    expect((await execa("find", [join(lab.home, "state"), "-name", "*.attrs"])).stdout).toBe("");
    const { exitCode, stderr } = await lab.lab(["destroy", "--yes"]);
    expect(exitCode, stderr).toBe(0);
    expect(labProcessesOf(stackFolder())).toEqual([]);
  });
});
