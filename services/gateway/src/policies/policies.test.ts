import { upstreamPolicySchema } from "@lab/discovery";
import { expect, test } from "vitest";
import { policiesFrom } from "./policies.ts";

const services = ["user", "cart"];

test("nothing has to be said: each service has the defaults, and 100 requests a minute pass without a token", () => {
  const policies = policiesFrom([{}], services);
  expect(policies.upstreams).toEqual({
    user: upstreamPolicySchema.parse({}),
    cart: upstreamPolicySchema.parse({}),
  });
  expect(policies.rateLimit).toMatchObject({
    address: { limit: 100, windowSeconds: 60 },
    action: "block",
    whenDown: "open",
  });
  expect(policies.trustedProxies).toEqual([]);
});

test("what is said of one service is laid over what is said of all, and a later layer over an earlier one", () => {
  const { upstreams, rateLimit } = policiesFrom(
    [
      {
        upstream: { balancing: "random", timeouts: { perTryMs: 100 } },
        services: { cart: { retries: { max: 5 }, timeouts: { totalMs: 700 } } },
        rateLimit: { address: { limit: 7, windowSeconds: 3 } },
      },
      {
        upstream: { timeouts: { connectMs: 50 } },
        services: { cart: { balancing: "adaptive", activeProbe: null } },
        rateLimit: { address: { limit: 8, windowSeconds: 3 }, exempt: [] },
      },
    ],
    services,
  );
  expect(upstreams.user).toMatchObject({
    balancing: "random",
    retries: { max: 2 },
    timeouts: { perTryMs: 100, connectMs: 50, totalMs: 15_000 },
  });
  expect(upstreams.cart).toMatchObject({
    balancing: "adaptive",
    activeProbe: null,
    retries: { max: 5 },
    timeouts: { perTryMs: 100, connectMs: 50, totalMs: 700 },
  });
  expect(rateLimit.address).toEqual({ limit: 8, windowSeconds: 3 });
  expect(rateLimit.exempt).toEqual([]);
});

test("one half of a limit keeps its other half from the layer below", () => {
  const { rateLimit } = policiesFrom(
    [{ rateLimit: { address: { limit: 7, windowSeconds: 3 } } }, { rateLimit: { address: { limit: 9 } } }],
    services,
  );
  expect(rateLimit.address).toEqual({ limit: 9, windowSeconds: 3 });
});

test.each<[unknown, RegExp]>([
  [null, /expected object/],
  [[], /expected object/],
  ["{}", /expected object/],
  [{ rateLimits: {} }, /rateLimits/],
  [{ rateLimit: { address: { limit: 0, windowSeconds: 60 } } }, /^rateLimit\.address\.limit: /],
  [{ rateLimit: { whenDown: "ajar" } }, /^rateLimit\.whenDown: /],
  [{ rateLimit: { exempt: ["localhost"] } }, /^rateLimit\.exempt\.0: must be an address or a network/],
  [{ trustedProxies: ["10.0.0.0/33"] }, /^trustedProxies\.0: must be an address or a network/],
  [{ trustedProxies: ["::/129"] }, /^trustedProxies\.0: /],
  [{ trustedProxies: ["10.0.0.0/8/8"] }, /^trustedProxies\.0: /],
  [{ maxBodyBytes: -1 }, /^maxBodyBytes: /],
  [{ cache: { maxBytes: "1" } }, /^cache\.maxBytes: /],
  [{ services: { order: {} } }, /^services\.order: there is no such service, only user, cart$/],
  [{ services: { cart: { balancing: "fastest" } } }, /^services\.cart\.balancing: /],
  [{ upstream: { timeouts: { perTryMs: 0 } } }, /^upstream\.timeouts\.perTryMs: /],
  [{ upstream: { retry: {} } }, /^upstream: .*retry/],
])("%j is refused, and it is said what is wrong", (written, message) => {
  expect(() => policiesFrom([{}, written], services)).toThrow(
    expect.objectContaining({ name: "PoliciesError", message: expect.stringMatching(message) }),
  );
});

test("every mistake is named", () => {
  expect(() => policiesFrom([{ maxBodyBytes: -1, trustedProxies: ["x"] }], services)).toThrow(
    /trustedProxies\.0: .*; maxBodyBytes: /,
  );
});

test.each(["__proto__", "constructor", "toString"])(
  "a member called %s changes nothing for others",
  (name) => {
    const written = JSON.parse(`{"${name}": {"maxBodyBytes": 1}}`);
    expect(() => policiesFrom([{}, written], services)).toThrow();
    expect(policiesFrom([{}], services).maxBodyBytes).toBe(1_048_576);
  },
);
