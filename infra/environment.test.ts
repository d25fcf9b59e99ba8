import { describe, expect, it } from "vitest";
import { environmentOf } from "./environment.ts";

describe("the configuration of a stack", () => {
  it("needs nothing but a name", () => {
    const environment = environmentOf("dev", {});
    expect(environment).toMatchObject({
      substrate: "embedded",
      datacenter: "dev",
      region: "lab",
      nodeName: "lab-dev",
    });
    expect(environment.ports).toMatchObject({ consulHttp: 18_000, nomadHttp: 18_010, gateway: 18_050 });
    expect(environment.instancesOf("user")).toBe(1);
  });

  it("derives every port from one base", () => {
    const one = environmentOf("dev", { portBase: "18000" }).ports;
    const two = environmentOf("staging", { portBase: "18400" }).ports;
    expect(Math.max(...Object.values(one))).toBeLessThan(Math.min(...Object.values(two)));
  });

  it("takes a port of its own and keeps the others", () => {
    const { ports } = environmentOf("dev", { ports: '{"mysql": 3306}' });
    expect(ports.mysql).toBe(3306);
    expect(ports.redis).toBe(18_032);
  });

  it("takes a part of the provider's behaviour and keeps the rest", () => {
    expect(environmentOf("dev", { provider: '{"failureRate": 0.5}' }).provider).toEqual({
      latencyMs: 0,
      failureRate: 0.5,
      lostAnswerRate: 0,
    });
  });

  it("takes several gateways, which share their port", () => {
    expect(environmentOf("dev", { instances: '{"gateway": 2}' }).instancesOf("gateway")).toBe(2);
  });

  it("hands the gateway's policies on as they are", () => {
    expect(environmentOf("dev", {}).gateway).toEqual({});
    const gateway = { routes: { "/api/users": { balancing: "least-connections" } } };
    expect(environmentOf("dev", { gateway: JSON.stringify(gateway) }).gateway).toEqual(gateway);
  });

  it("refuses two servers on one port by both names", () => {
    expect(() => environmentOf("dev", { ports: '{"mysql": 18032}' })).toThrow(
      /18032 to both mysql and redis/,
    );
  });

  it("refuses a dynamic range without a port", () => {
    expect(() => environmentOf("dev", { ports: '{"dynamicMin": 19000, "dynamicMax": 18900}' })).toThrow(
      /dynamicMin must be below/,
    );
  });

  it.each([
    ["portBase", "eighteen", /lab:portBase: must be a port number/],
    ["portBase", "80", /lab:portBase/],
    ["portBase", "65500", /lab:portBase/],
    ["substrate", "docker", /lab:substrate: .*not built yet/],
    ["datacenter", "Dev Centre", /lab:datacenter: must be lower-case/],
    ["natsSyncInterval", "often", /lab:natsSyncInterval/],
    ["ports", "{", /lab:ports must be an object/],
    ["ports", '{"postgres": 5432}', /lab:ports/],
    ["instances", '{"user": -1}', /lab:instances.user/],
    ["instances", '{"mail": 2}', /lab:instances.mail: there can be only one/],
    ["gateway", "fast", /lab:gateway must be an object; it is: fast/],
    ["gateway", "[1]", /lab:gateway: must be an object of policies/],
    ["chain", "both", /lab:chain/],
    ["provider", '{"failureRate": 2}', /lab:provider.failureRate/],
    ["provider", '{"latency": 2}', /lab:provider/],
    ["tokenTtlSeconds", "long", /lab:tokenTtlSeconds: must be a number of seconds/],
    ["keyLifetimeSeconds", "0", /lab:keyLifetimeSeconds/],
    ["portbase", "18000", /lab:portbase/],
  ])("refuses lab:%s = %s and names it", (key, value, message) => {
    expect(() => environmentOf("dev", { [key]: value })).toThrow(message);
  });

  it("names every unusable setting at once", () => {
    expect(() => environmentOf("dev", { portBase: "x", region: "A B" })).toThrow(
      /lab:portBase[\s\S]*lab:region/,
    );
  });
});
