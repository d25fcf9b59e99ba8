import { expect, test } from "vitest";
import { CurrentPolicies } from "./current-policies.ts";

const base = { maxBodyBytes: 1000, rateLimit: { action: "delay" } };
const currentPolicies = () => new CurrentPolicies(base, ["user"]);

test("what Consul holds is laid over the configuration, and gone with its key", () => {
  const current = currentPolicies();
  expect(current.report).toEqual({ source: "configuration" });
  expect(current.take('{"maxBodyBytes": 2000}', 7)).toBe("changed");
  expect(current.policies).toMatchObject({ maxBodyBytes: 2000, rateLimit: { action: "delay" } });
  expect(current.report).toEqual({ source: "consul", consulIndex: 7 });
  expect(current.take(undefined, 7)).toBe("changed");
  expect(current.policies.maxBodyBytes).toBe(1000);
  expect(current.report).toEqual({ source: "configuration", consulIndex: 7 });
});

test("a value that says the same in other words changes nothing", () => {
  const current = currentPolicies();
  expect(current.take(undefined, 7)).toBe("same");
  expect(current.take('{ "maxBodyBytes":1000 }', 7)).toBe("same");
});

test.each([
  ["no JSON", "{", "the value is not JSON"],
  ["an empty value", "", "the value is not JSON"],
  ["a mistake", '{"maxBodyBytes": "much"}', /^maxBodyBytes: /],
  ["a service that there isn't", '{"services": {"order": {}}}', /order/],
])("%s is refused with its reason, and the policies before it stay", (_what, text, why) => {
  const current = currentPolicies();
  current.take('{"maxBodyBytes": 2000}', 7);
  const before = current.policies;
  expect(current.take(text, 7)).toBe("refused");
  expect(current.policies).toBe(before);
  expect(current.report).toMatchObject({ source: "consul", refused: expect.stringMatching(why) });
});

test("the reason is forgotten once a good value comes, also one that changes nothing", () => {
  const current = currentPolicies();
  current.take('{"maxBodyBytes": 2000}', 7);
  current.take("{", 7);
  expect(current.take('{"maxBodyBytes": 2000}', 7)).toBe("same");
  expect(current.report).toEqual({ source: "consul", consulIndex: 7 });
});

test("a mistake in the configuration itself is an error", () => {
  expect(() => new CurrentPolicies({ maxBodyBytes: -1 }, ["user"])).toThrow(/maxBodyBytes/);
});
