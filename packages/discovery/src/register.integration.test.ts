import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { freeze } from "../../../tests/support/freeze.ts";
import { type Registration, type RegistrationOptions, register } from "./register.ts";
import { type OpenConsul, startOpenConsul } from "./testing/open-consul.ts";
import { ServiceWatch } from "./watch.ts";

let consul: OpenConsul;
let watch: ServiceWatch;

beforeAll(async () => {
  consul = await startOpenConsul();
  watch = new ServiceWatch({ consulUrl: consul.address, service: "outsider" });
});

afterAll(async () => {
  await watch?.close();
  await consul?.stop();
});

const isListed = () => watch.endpoints.some(({ id }) => id === "outsider-1");

function options(): RegistrationOptions {
  return {
    consulUrl: consul.address,
    token: consul.managementToken,
    id: "outsider-1",
    name: "outsider",
    address: "127.0.0.1",
    port: 1001,
    ttlMs: 900,
  };
}

function start(settings: Partial<RegistrationOptions> = {}): Registration {
  return register({ ...options(), ...settings });
}

test("is found by others while it lives, with its weight, and no more once it has ended", async () => {
  const registration = start({ weight: 3, meta: { zone: "a" } });
  await registration.registered;
  await until("it to be found", isListed);
  expect(watch.endpoints).toMatchObject([
    { origin: "http://127.0.0.1:1001", weight: 3, meta: { zone: "a" } },
  ]);
  await registration.close();
  await until("it to go", () => !isListed());
});

test("one that stands still is out after its time, and back once it goes on", async () => {
  const program = `import { register } from ${JSON.stringify(import.meta.resolve("./register.ts"))};
    register(${JSON.stringify(options())});`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "ignore" });
  try {
    await until("it to be found", isListed);
    await freeze(child.pid as number);
    await until("it to be out", () => !isListed());
    child.kill("SIGCONT");
    await until("it to be back", isListed);
  } finally {
    child.kill("SIGKILL");
    await consul.deregister("outsider-1");
  }
  await until("it to go", () => !isListed());
});

test("what Consul has forgotten is registered again", async () => {
  const registration = start();
  await until("it to be found", isListed);
  await consul.deregister("outsider-1");
  await until("it to go", () => !isListed());
  await until("it to be back", isListed);
  await consul.kill();
  await until("the loss to be noticed", () => !watch.status.isCurrent);
  await rm(consul.dataDir, { recursive: true });
  await consul.start();
  await consul.open();
  await until("Consul to know it", async () => {
    const answer = await fetch(`${consul.address}/v1/health/service/outsider?passing`);
    return ((await answer.json()) as object[]).length === 1;
  });
  await registration.close();
});

test("says what hinders it, and goes on trying", async () => {
  const errors: Error[] = [];
  const registration = start({
    token: "00000000-0000-0000-0000-000000000002",
    onError: (error) => errors.push(error),
  });
  await until("two errors", () => errors.length > 1);
  expect(errors[0]?.message).toMatch(/Consul answered 403/);
  await registration.close();
});
