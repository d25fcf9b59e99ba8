import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientAddress, forwardedFor, Networks, plainAddress } from "./client-address.ts";

const trusted = new Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"]);

describe("behind a trusted proxy the client is", () => {
  test.each([
    ["the proxy, where nothing is said", {}, "10.0.0.1"],
    ["the one that X-Forwarded-For names", { "x-forwarded-for": "203.0.113.5" }, "203.0.113.5"],
    [
      "the one before the last trusted one",
      { "x-forwarded-for": "1.1.1.1, 203.0.113.5, 10.0.0.2" },
      "203.0.113.5",
    ],
    ["not one that the client made up", { "x-forwarded-for": "6.6.6.6, 203.0.113.5" }, "203.0.113.5"],
    ["the first proxy, where all are trusted", { "x-forwarded-for": "10.0.0.3, 192.0.2.7" }, "10.0.0.3"],
    ["without its port", { "x-forwarded-for": "203.0.113.5:4711" }, "203.0.113.5"],
    ["the proxy, where the name is no address", { "x-forwarded-for": "unknown" }, "10.0.0.1"],
    ["the last that is known", { "x-forwarded-for": "1.1.1.1, _hidden, 10.0.0.2" }, "10.0.0.2"],
    ["IPv4, where it is written as IPv6", { "x-forwarded-for": "::ffff:203.0.113.5" }, "203.0.113.5"],
    ["an IPv6 address", { "x-forwarded-for": "2001:db8:2::1, 2001:db8:1::9" }, "2001:db8:2::1"],
    ["the one that Forwarded names", { forwarded: "for=203.0.113.5;proto=http;by=10.0.0.1" }, "203.0.113.5"],
    ["the last that Forwarded names", { forwarded: 'for=6.6.6.6, For="203.0.113.5:4711"' }, "203.0.113.5"],
    ["an IPv6 address in Forwarded", { forwarded: 'proto=http;for="[2001:db8:2::1]:4711"' }, "2001:db8:2::1"],
    ["the proxy, where Forwarded hides it", { forwarded: "for=_secret" }, "10.0.0.1"],
    [
      "the proxy, where Forwarded says nothing of it",
      { forwarded: "by=203.0.113.5;xfor=6.6.6.6" },
      "10.0.0.1",
    ],
    [
      "the one that both headers name",
      { forwarded: "for=203.0.113.5", "x-forwarded-for": "203.0.113.5" },
      "203.0.113.5",
    ],
    [
      "the proxy, where the headers disagree: one is the client's own",
      { forwarded: "for=6.6.6.6", "x-forwarded-for": "203.0.113.5" },
      "10.0.0.1",
    ],
  ])("%s", (_what, headers, client) => {
    expect(clientAddress("10.0.0.1", headers, trusted)).toBe(client);
  });
});

test("nobody but a trusted proxy can say who they are", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6()).filter((peer) => !trusted.has(peer)),
      fc.record({ forwarded: fc.string(), "x-forwarded-for": fc.string() }, { requiredKeys: [] }),
      (peer, headers) => {
        expect(clientAddress(peer, headers, trusted)).toBe(peer);
      },
    ),
  );
});

test("whatever a client writes before it, the address that the proxies add is the client's", () => {
  const written = fc.stringMatching(/^[\x20-\x7e]{0,40}$/);
  fc.assert(
    fc.property(
      written,
      fc.ipV4().filter((address) => !trusted.has(address)),
      (lie, client) => {
        expect(clientAddress("10.0.0.1", { "x-forwarded-for": `${lie}, ${client}` }, trusted)).toBe(client);
        expect(clientAddress("10.0.0.1", { forwarded: `${lie}, for=${client}` }, trusted)).toBe(client);
      },
    ),
  );
});

test("without trusted proxies no header counts", () => {
  expect(clientAddress("127.0.0.1", { "x-forwarded-for": "6.6.6.6" }, new Networks([]))).toBe("127.0.0.1");
});

test.each([
  ["10.255.0.1", true],
  ["11.0.0.1", false],
  ["192.0.2.7", true],
  ["192.0.2.8", false],
  ["2001:db8:1:ffff::1", true],
  ["2001:db8:2::1", false],
  ["no address", false],
])("whether %s is in the networks: %s", (address, isIn) => {
  expect(trusted.has(address)).toBe(isIn);
});

test("an IPv4 address of an IPv6 socket is one text", () => {
  expect(plainAddress("::ffff:127.0.0.1")).toBe("127.0.0.1");
  expect(plainAddress("::1")).toBe("::1");
});

test("the proxies that are named are handed on nearest last", () => {
  expect(forwardedFor({ "x-forwarded-for": "203.0.113.5,10.0.0.2" })).toEqual(["203.0.113.5", "10.0.0.2"]);
  expect(forwardedFor({})).toEqual([]);
});
