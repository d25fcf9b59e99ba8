import { rm } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../tests/servers/agent.ts";
import { SrvWatch } from "./srv-watch.ts";
import { type OpenConsul, startOpenConsul } from "./testing/open-consul.ts";
import { ServiceWatch } from "./watch.ts";

let consul: OpenConsul;

beforeEach(async () => {
  consul = await startOpenConsul();
});

afterEach(() => consul?.stop());

const origins = (watch: ServiceWatch | SrvWatch) => watch.endpoints.map(({ origin }) => origin);

test("follows the instances of a service whose checks pass", async () => {
  const seen: number[] = [];
  const told: number[] = [];
  const watch = new ServiceWatch({
    consulUrl: consul.address,
    service: "shelf",
    onChange: (endpoints) => seen.push(endpoints.length),
  });
  watch.subscribe((endpoints) => told.push(endpoints.length));
  try {
    await watch.firstAnswer;
    expect(watch.endpoints).toEqual([]);
    await consul.register("one", 1001);
    await consul.register("two", 1002, { Check: { CheckID: "two-ttl", TTL: "10m", Status: "critical" } });
    await until("the first instance", () => watch.endpoints.length === 1);
    expect(origins(watch)).toEqual(["http://127.0.0.1:1001"]);
    await consul.put("/v1/agent/check/update/two-ttl", { Status: "passing" });
    await until("the second instance", () => watch.endpoints.length === 2);
    await consul.deregister("one");
    await until("the first to go", () => watch.endpoints.length === 1);
    expect(origins(watch)).toEqual(["http://127.0.0.1:1002"]);
    expect(seen).toEqual([1, 2, 1]);
    expect(told).toEqual(seen);
  } finally {
    await watch.close();
  }
});

test("weights come from the metadata, and their change is noticed", async () => {
  await consul.register("heavy", 1001, { Meta: { weight: "3", zone: "a" } });
  await consul.register("odd", 1002, { Meta: { weight: "much" } });
  await consul.register("plain", 1003);
  const watch = new ServiceWatch({ consulUrl: consul.address, service: "shelf" });
  try {
    await watch.firstAnswer;
    expect(watch.endpoints).toMatchObject([
      { id: "heavy", weight: 3, meta: { weight: "3", zone: "a" } },
      { id: "odd", weight: 1 },
      { id: "plain", weight: 1, meta: {} },
    ]);
    await consul.register("heavy", 1001, { Meta: { weight: "5" } });
    await until("the new weight", () => watch.endpoints[0]?.weight === 5);
  } finally {
    await watch.close();
  }
});

test("keeps the list while Consul is dead, says so, and follows it again when it is back", async () => {
  await consul.register("one", 1001);
  await consul.register("two", 1002);
  const watch = new ServiceWatch({ consulUrl: consul.address, service: "shelf" });
  try {
    await watch.firstAnswer;
    expect(watch.status).toMatchObject({ isKnown: true, isCurrent: true });
    await consul.kill();
    await until("the loss to be noticed", () => !watch.status.isCurrent);
    expect(watch.status).toMatchObject({ isKnown: true, error: expect.any(String) });
    expect(watch.endpoints).toHaveLength(2);
    await consul.start();
    await until("Consul to be followed", () => watch.status.isCurrent);
    expect(watch.endpoints).toHaveLength(2);
    await consul.register("three", 1003);
    await until("a new instance", () => watch.endpoints.length === 3);
  } finally {
    await watch.close();
  }
});

test("a Consul that has lost everything is followed from its new beginning, and the instances stay in use meanwhile", async () => {
  // So that its index is far ahead of that of the new beginning.
  for (const port of [1001, 1002, 1003]) {
    await consul.register("one", port);
  }
  const lengths: number[] = [];
  const watch = new ServiceWatch({
    consulUrl: consul.address,
    service: "shelf",
    onChange: ({ length }) => lengths.push(length),
  });
  try {
    await watch.firstAnswer;
    await consul.kill();
    await until("the loss to be noticed", () => !watch.status.isCurrent);
    await rm(consul.dataDir, { recursive: true });
    await consul.start();
    await consul.open();
    await until("Consul to be followed", () => watch.status.isCurrent);
    await consul.register("two", 1002);
    await until("a new instance", () => watch.endpoints.length === 2);
    await consul.register("one", 1001);
    await until("the old one's new address", () => origins(watch).includes("http://127.0.0.1:1001"));
    expect(lengths).not.toContain(0);
  } finally {
    await watch.close();
  }
});

test("a registry that can't be asked from the beginning is unknown", async () => {
  const errors: Error[] = [];
  const watch = new ServiceWatch({
    consulUrl: "http://127.0.0.1:1",
    service: "shelf",
    onError: (error) => errors.push(error),
  });
  try {
    await until("errors", () => errors.length > 1);
    expect(watch.status).toMatchObject({ isKnown: false, isCurrent: false });
    expect(watch.endpoints).toEqual([]);
  } finally {
    await watch.close();
  }
});

test("by DNS: all instances that pass, with their weights, also more than fit into a packet", async () => {
  for (let instance = 0; instance < 12; instance++) {
    await consul.register(`i${instance}`, 1001 + instance, {
      Weights: { Passing: 1 + (instance % 2), Warning: 1 },
    });
  }
  const watch = new SrvWatch({ server: consul.dns, name: "shelf.service.consul", intervalMs: 50 });
  try {
    await watch.firstAnswer;
    expect(watch.endpoints).toHaveLength(12);
    expect(watch.endpoints[0]).toEqual({
      id: "127.0.0.1:1001",
      origin: "http://127.0.0.1:1001",
      weight: 1,
      meta: {},
    });
    expect(watch.endpoints[1]?.weight).toBe(2);
    await consul.put("/v1/agent/check/update/i0-ttl", { Status: "critical" });
    await until("it to go", () => watch.endpoints.length === 11);
    await consul.kill();
    await until("the loss to be noticed", () => !watch.status.isCurrent);
    expect(watch.endpoints).toHaveLength(11);
    await consul.start();
    await until("Consul to be followed", () => watch.status.isCurrent);
    expect(watch.endpoints).toHaveLength(11);
  } finally {
    await watch.close();
  }
});

test("by DNS: a service that there is not has no instance", async () => {
  const watch = new SrvWatch({ server: consul.dns, name: "nothing.service.consul" });
  try {
    await watch.firstAnswer;
    expect(watch.endpoints).toEqual([]);
    expect(watch.status).toMatchObject({ isKnown: true, isCurrent: true });
  } finally {
    await watch.close();
  }
});
