import { expect, test } from "vitest";
import { CurrentPolicies } from "./current-policies.ts";

const base = { maxBodyBytes: 1000, rateLimit: { action: "delay" } };
const currentPolicies = () => new CurrentPolicies(base, ["user"]);

test("what Consul holds is laid over the configuration, and gone with its key", () => {
  const current = currentPolicies();
  expect(current.report).toEqual({ source: "configuration" });
  expect(current.take('{"maxBodyBytes": 2000}')).toBe("changed");
  expect(current.policies).toMatchObject({ maxBodyBytes: 2000, rateLimit: { action: "delay" } });
  expect(current.report).toEqual({ source: "consul" });
  expect(current.take(undefined)).toBe("changed");
  expect(current.policies.maxBodyBytes).toBe(1000);
  expect(current.report).toEqual({ source: "configuration" });
});

test("a value that says the same in other words changes nothing", () => {
  const current = currentPolicies();
  expect(current.take(undefined)).toBe("same");
  expect(current.take('{ "maxBodyBytes":1000 }')).toBe("same");
});

test.each([
  ["no JSON", "{", "the value is not JSON"],
  ["an empty value", "", "the value is not JSON"],
  ["a mistake", '{"maxBodyBytes": "much"}', /^maxBodyBytes: /],
  ["a service that there isn't", '{"services": {"order": {}}}', /order/],
])("%s is refused with its reason, and the policies before it stay", (_what, text, why) => {
  const current = currentPolicies();
  current.take('{"maxBodyBytes": 2000}');
  const before = current.policies;
  expect(current.take(text)).toBe("refused");
  expect(current.policies).toBe(before);
  expect(current.report).toEqual({ source: "consul", refused: expect.stringMatching(why) });
});

test("the reason is forgotten once a good value comes, also one that changes nothing", () => {
  const current = currentPolicies();
  current.take('{"maxBodyBytes": 2000}');
  current.take("{");
  expect(current.take('{"maxBodyBytes": 2000}')).toBe("same");
  expect(current.report).toEqual({ source: "consul" });
});

test("a mistake in the configuration itself is an error", () => {
  expect(() => new CurrentPolicies({ maxBodyBytes: -1 }, ["user"])).toThrow(/maxBodyBytes/);
});
