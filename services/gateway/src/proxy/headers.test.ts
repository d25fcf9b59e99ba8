import fc from "fast-check";
import { expect, test } from "vitest";
import { requestHeaders, responseHeaders } from "./headers.ts";

const facts = {
  forwardedFor: "203.0.113.5",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  token: "internal",
};
const own = [
  ...["x-forwarded-for", "203.0.113.5", "x-forwarded-proto", "http"],
  ...["traceparent", facts.traceparent, "authorization", "Bearer internal"],
];
const namesIn = (headers: string[]) =>
  headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
const valuesOf = (headers: string[], name: string) =>
  headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name);

test("what is meant for one connection stays on it, in a request", () => {
  const raw = [
    ...["Host", "shop", "Connection", "keep-alive, X-Hop", "X-Hop", "1", "Keep-Alive", "timeout=5"],
    ...["TE", "trailers", "Transfer-Encoding", "chunked", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABk"],
    ...["Proxy-Connection", "keep-alive", "Proxy-Authorization", "Basic c2VjcmV0", "Expect", "100-continue"],
    ...["Trailer", "x-sum", "X-End", "2"],
  ];
  expect(requestHeaders(raw, "keep-alive, X-Hop", facts)).toEqual(["Host", "shop", "X-End", "2", ...own]);
});

test("what is meant for one connection stays on it, in an answer, and repeated headers stay apart", () => {
  const raw = [
    ...[
      "Connection",
      "close, x-hop",
      "X-Hop",
      "1",
      "Keep-Alive",
      "timeout=5",
      "Transfer-Encoding",
      "chunked",
    ],
    ...["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Name", "Zo\u00eb", "Trailer", "x-sum"],
  ].map((text) => Buffer.from(text, "latin1"));
  expect(responseHeaders(raw)).toEqual([
    ...["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Name", "Zo\u00eb", "Trailer", "x-sum"],
  ]);
});

test("repeated headers of a request stay as they are, in their order", () => {
  const raw = ["X-Part", "1", "x-other", "a", "X-Part", "2"];
  expect(requestHeaders(raw, undefined, facts).slice(0, 6)).toEqual(raw);
});

const forgeable = [
  "Authorization",
  "Forwarded",
  "Traceparent",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Real-IP",
];

test("what the gateway says itself can't be said by a caller, in no spelling and number", () => {
  const name = fc
    .constantFrom(...forgeable)
    .chain((text) =>
      fc
        .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
        .map((upper) =>
          [...text]
            .map((letter, index) => (upper[index] ? letter.toUpperCase() : letter.toLowerCase()))
            .join(""),
        ),
    );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), fc.boolean(), (pairs, hasToken) => {
      const said = hasToken ? facts : { ...facts, token: undefined };
      expect(requestHeaders(pairs.flat(), undefined, said)).toEqual(hasToken ? own : own.slice(0, -2));
    }),
  );
});

test("a caller can't have the gateway's own headers dropped by naming them in Connection", () => {
  const headers = requestHeaders(["X-End", "2"], "authorization, x-forwarded-for, traceparent", facts);
  expect(headers).toEqual(["X-End", "2", ...own]);
});

test("the authority of an absolute target counts more than Host", () => {
  const headers = requestHeaders(["Host", "other", "X-End", "2"], undefined, { ...facts, authority: "shop" });
  expect(valuesOf(headers, "host")).toEqual(["shop"]);
});

test("whatever comes, no header for one connection is handed on", () => {
  const hop = [
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "expect",
  ];
  const header = fc.tuple(
    fc.constantFrom(...hop, "x-a", "x-b", "X-C"),
    fc.constantFrom("1", "x-a", "x-b , X-c"),
  );
  fc.assert(
    fc.property(fc.array(header), (pairs) => {
      const connection = pairs.filter(([name]) => name === "connection").map(([, value]) => value);
      const named = connection.flatMap((value) => value.split(",").map((name) => name.trim().toLowerCase()));
      const joined = connection.length > 0 ? connection.join(", ") : undefined;
      const handedOn = namesIn(requestHeaders(pairs.flat(), joined, facts));
      expect(handedOn.filter((name) => hop.includes(name) || named.includes(name))).toEqual([]);
      const answered = namesIn(responseHeaders(pairs.flat()));
      expect(answered.filter((name) => hop.includes(name) || named.includes(name))).toEqual([]);
    }),
  );
});
