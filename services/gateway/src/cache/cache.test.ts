import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Failure, Sink } from "../proxy/sink.ts";
import { Cache, type CacheOptions, type CacheResult } from "./cache.ts";

/** What an instance answers. */
interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** There is no answer. */
  isAway?: boolean;
  /** The answer breaks off. */
  isHalf?: boolean;
}

/** What a caller got. */
interface Got {
  status: number;
  headers: Record<string, string>;
  body: string;
  result: CacheResult | undefined;
  isBroken: boolean;
}

interface Asked {
  url?: string;
  headers?: Record<string, string>;
  hasToken?: boolean;
}

/** Requests that have reached an instance; each is answered when the test says so. */
interface Sent {
  /** Who has sent it, as the instance is told. */
  who: string;
  validators: Record<string, string> | undefined;
  answer(reply: Reply): void;
}

const away: Failure = { status: 502, detail: "away", cause: "ECONNREFUSED" };

let sent: Sent[];
let cache: Cache;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  sent = [];
  cache = cacheOf();
});

afterEach(() => {
  vi.useRealTimers();
});

function cacheOf(options: Partial<CacheOptions> = {}): Cache {
  return new Cache({ maxBytes: 1_000_000, maxEntryBytes: 100_000, ...options });
}

/** Asks; what the caller gets comes in the result, at once or when an instance has answered. */
function ask({
  url = "/api/things",
  headers = {},
  hasToken = headers.authorization !== undefined,
}: Asked = {}): Got {
  const got: Got = { status: 0, headers: {}, body: "", result: undefined, isBroken: false };
  const send = (sink: Sink, validators?: Record<string, string>) => {
    sent.push({ who: headers.authorization ?? "", validators, answer: (reply) => deliver(sink, reply) });
  };
  cache.answer({
    request: { method: "GET", url, headers: { host: "shop", ...headers } },
    hasToken,
    caller: callerOf(got),
    send,
    refresh: send,
    onResult: (result) => {
      got.result = result;
    },
  });
  return got;
}

/** Asks, and has an instance answer if it is asked. */
function askAnd(reply: Reply, asked: Asked = {}): Got {
  const before = sent.length;
  const got = ask(asked);
  sent[before]?.answer(reply);
  return got;
}

function callerOf(got: Got): Sink {
  return {
    head(status, _text, headers) {
      got.status = status;
      for (let index = 0; index < headers.length; index += 2) {
        got.headers[(headers[index] as string).toLowerCase()] = headers[index + 1] as string;
      }
    },
    data(chunk) {
      got.body += chunk.toString();
      return true;
    },
    end() {},
    unanswered(failure) {
      got.status = failure.status;
    },
    broken() {
      got.isBroken = true;
    },
  };
}

function deliver(sink: Sink, { status = 200, headers = {}, body = "", isAway, isHalf }: Reply): void {
  if (isAway) {
    sink.unanswered(away);
    return;
  }
  sink.head(status, "", Object.entries(headers).flat());
  sink.data(Buffer.from(body), () => undefined);
  if (isHalf) {
    sink.broken();
  } else {
    sink.end({});
  }
}

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const minute = { headers: { "cache-control": "max-age=60" }, body: "one" };

describe("an answer that says how long it is good", () => {
  test("is given out again for as long, with its age, and not longer", () => {
    expect(askAnd(minute)).toMatchObject({ body: "one", result: "miss" });
    pass(59);
    expect(ask()).toMatchObject({
      status: 200,
      body: "one",
      result: "hit",
      headers: { age: "59", "cache-status": "gateway; hit", "content-length": "3" },
    });
    pass(2);
    expect(askAnd({ body: "two" })).toMatchObject({ body: "two" });
    expect(sent).toHaveLength(2);
  });

  test("is for its own path and query only", () => {
    askAnd(minute);
    expect(askAnd({ body: "other" }, { url: "/api/things?page=2" })).toMatchObject({ body: "other" });
  });

  test("is for its own host only", () => {
    askAnd(minute);
    expect(askAnd({ body: "other" }, { headers: { host: "elsewhere" } })).toMatchObject({ body: "other" });
  });

  test("is asked for again where the caller wants no old one", () => {
    askAnd(minute);
    expect(askAnd({ body: "new" }, { headers: { "cache-control": "no-cache" } }).body).toBe("new");
  });

  test("is forgotten when something there was changed", () => {
    askAnd(minute);
    cache.forget("/api/things");
    expect(askAnd({ body: "two" })).toMatchObject({ body: "two", result: "pass" });
  });

  test("is 304 for a caller who has it already", () => {
    askAnd({ ...minute, headers: { ...minute.headers, etag: '"a"' } });
    const has = (tag: string) => ask({ headers: { "if-none-match": tag } });
    expect(has('"a"')).toMatchObject({ status: 304, body: "", headers: { etag: '"a"' } });
    expect(has('"x", W/"a"')).toMatchObject({ status: 304 });
    expect(has("*")).toMatchObject({ status: 304 });
    expect(has('"b"')).toMatchObject({ status: 200, body: "one" });
    expect(sent).toHaveLength(1);
  });
});

describe("what is never kept", () => {
  test.each<[string, Reply]>([
    ["what says nothing of how long it is good", {}],
    ["what says so only by its age", { headers: { "last-modified": "Wed, 01 Jan 2025 00:00:00 GMT" } }],
    ["private", { headers: { "cache-control": "private, max-age=60" } }],
    [
      "private in a line of its own",
      { headers: { "cache-control": "max-age=60", "Cache-Control": "private" } },
    ],
    ["no-store", { headers: { "cache-control": "public, max-age=60, no-store" } }],
    ["a cookie", { headers: { "cache-control": "public, max-age=60", "set-cookie": "id=1" } }],
    ["what varies by everything", { headers: { "cache-control": "public, max-age=60", vary: "*" } }],
    [
      "what varies by everything, too",
      { headers: { "cache-control": "public, max-age=60", vary: "accept, *" } },
    ],
    ["a failure", { status: 503, headers: { "cache-control": "public, max-age=60" } }],
    ["half an answer", { ...minute, isHalf: true }],
  ])("%s", (_what, reply) => {
    askAnd({ ...reply, body: "one" });
    expect(askAnd({ body: "two" })).toMatchObject({ body: "two" });
    expect(sent).toHaveLength(2);
  });

  test("an answer that is too large, though it passes", () => {
    cache = cacheOf({ maxEntryBytes: 10 });
    expect(askAnd({ ...minute, body: "longer than ten bytes" })).toMatchObject({
      body: "longer than ten bytes",
    });
    ask();
    ask();
    expect(sent).toHaveLength(3);
    expect(cache.bytes).toBeLessThan(1000);
  });

  test("anything, where the cache has no room", () => {
    cache = cacheOf({ maxBytes: 0 });
    askAnd(minute);
    ask();
    expect(sent).toHaveLength(2);
  });
});

test("answers that vary by a header are kept side by side", () => {
  const varying = { "cache-control": "max-age=60", vary: "Accept-Language" };
  const german = { headers: { "accept-language": "de" } };
  const english = { headers: { "accept-language": "en" } };
  askAnd({ headers: varying, body: "Ding" }, german);
  askAnd({ headers: varying, body: "thing" }, english);
  expect([ask(german).body, ask(english).body]).toEqual(["Ding", "thing"]);
  expect(sent).toHaveLength(2);
  expect(askAnd({ body: "?" }).body).toBe("?");
});

test("all that is kept has a bound, and what was used last stays", () => {
  cache = cacheOf({ maxBytes: 20_000 });
  const large = { ...minute, body: "x".repeat(5000) };
  for (let index = 0; index < 50; index++) {
    askAnd(large, { url: `/api/things/${index}` });
    expect(cache.bytes).toBeLessThanOrEqual(20_000);
  }
  expect(ask({ url: "/api/things/49" })).toMatchObject({ result: "hit" });
  expect(ask({ url: "/api/things/0" }).result).toBeUndefined();
});

describe("what callers choose counts towards the bound, too", () => {
  const long = (index: number) => `${index}`.padEnd(8000, "x");
  const varying = (by: string) => ({ headers: { "cache-control": "max-age=60", vary: by }, body: "one" });

  test.each<[string, Reply, (index: number) => Asked]>([
    ["the path", minute, (index) => ({ url: `/${long(index)}` })],
    ["the host", minute, (index) => ({ url: `/${index}`, headers: { host: long(index) } })],
    ["what answers vary by", varying("accept"), (index) => ({ headers: { accept: long(index) } })],
  ])("%s", (_what, reply, asked) => {
    cache = cacheOf({ maxBytes: 160_000 });
    const all = Array.from({ length: 50 }, (_, index) => asked(index));
    for (const one of all) {
      askAnd(reply, one);
    }
    expect(cache.bytes).toBeLessThanOrEqual(160_000);
    const kept = all.filter((one) => ask(one).result === "hit").length;
    expect(kept).toBeGreaterThan(0);
    expect(kept * 8000).toBeLessThanOrEqual(160_000);
  });

  test("other headers are not kept", () => {
    askAnd(varying("accept"), { headers: { accept: "text/html", cookie: long(1) } });
    expect(cache.bytes).toBeLessThan(2000);
    expect(ask({ headers: { accept: "text/html", cookie: long(2) } })).toMatchObject({ result: "hit" });
  });

  test("what is known of paths that have no answer to keep", () => {
    cache = cacheOf({ maxBytes: 160_000 });
    for (let index = 0; index < 50; index++) {
      askAnd({ body: "own" }, { url: `/${long(index)}` });
    }
    expect(cache.bytes).toBeGreaterThan(8000);
    expect(cache.bytes).toBeLessThanOrEqual(20_000);
  });
});

test("nothing is kept for who says that nothing is to be", () => {
  askAnd(minute, { headers: { "cache-control": "no-store" } });
  expect(askAnd({ body: "two" })).toMatchObject({ body: "two" });
});

describe("an answer that is old", () => {
  const tagged = { "cache-control": "max-age=60", etag: '"a"' };

  test("is asked for by its tag, whatever the caller has, and good again when it has not changed", () => {
    askAnd({ headers: tagged, body: "one" });
    pass(61);
    const got = ask({ headers: { "if-none-match": '"older"' } });
    expect(sent[1]?.validators).toEqual({ "if-none-match": '"a"' });
    sent[1]?.answer({ status: 304, headers: tagged });
    expect(got).toMatchObject({ status: 200, body: "one", result: "revalidated" });
    pass(59);
    expect(ask()).toMatchObject({ body: "one", result: "hit" });
    expect(sent).toHaveLength(2);
  });

  test("gives way to a new one", () => {
    askAnd({ headers: tagged, body: "one" });
    pass(61);
    expect(askAnd({ headers: { ...tagged, etag: '"b"' }, body: "two" })).toMatchObject({
      status: 200,
      body: "two",
    });
    expect(ask()).toMatchObject({ body: "two", result: "hit" });
  });

  test("may be given out while a new one is asked for, once for all who come meanwhile", () => {
    const headers = { "cache-control": "max-age=60, stale-while-revalidate=30", etag: '"a"' };
    askAnd({ headers, body: "one" });
    pass(70);
    expect([ask(), ask()]).toMatchObject([
      {
        body: "one",
        result: "stale",
        headers: { "cache-status": "gateway; hit; detail=stale-while-revalidate" },
      },
      { body: "one", result: "stale" },
    ]);
    expect(sent).toHaveLength(2);
    sent[1]?.answer({ headers, body: "two" });
    expect(ask()).toMatchObject({ body: "two", result: "hit" });
  });

  test("is asked for again when the one who asked for a new one got none", () => {
    askAnd({ headers: { "cache-control": "max-age=60, stale-while-revalidate=30" }, body: "one" });
    pass(70);
    ask();
    sent[1]?.answer({ isAway: true });
    expect(ask()).toMatchObject({ body: "one", result: "stale" });
    expect(sent).toHaveLength(3);
  });

  test.each<[string, Reply]>([
    ["nobody answers", { isAway: true }],
    ["a service fails", { status: 503, body: "failed" }],
  ])("stands in when %s, for as long as it said it may", (_what, failure) => {
    askAnd({ headers: { "cache-control": "max-age=60, stale-if-error=30" }, body: "one" });
    pass(89);
    expect(askAnd(failure)).toMatchObject({
      status: 200,
      body: "one",
      result: "stale",
      headers: { "cache-status": "gateway; hit; detail=stale-if-error" },
    });
    pass(2);
    expect(askAnd(failure).status).toBeGreaterThanOrEqual(502);
  });

  test("does not stand in where it has not said so", () => {
    askAnd(minute);
    pass(61);
    expect(askAnd({ isAway: true })).toMatchObject({ status: 502 });
  });

  test("is asked for once, however many want it at once", () => {
    askAnd({ headers: tagged, body: "one" });
    pass(61);
    const all = Array.from({ length: 20 }, () => ask());
    expect(sent).toHaveLength(2);
    sent[1]?.answer({ status: 304, headers: tagged });
    expect(all.every(({ body }) => body === "one")).toBe(true);
    expect(sent).toHaveLength(2);
  });
});

describe("many at once", () => {
  test("wait for one answer, where that may be kept", () => {
    const all = Array.from({ length: 20 }, () => ask());
    expect(sent).toHaveLength(1);
    sent[0]?.answer(minute);
    expect(all.map(({ body }) => body)).toEqual(all.map(() => "one"));
    expect(all.map(({ result }) => result)).toEqual(["miss", ...all.slice(1).map(() => "coalesced")]);
  });

  test.each<[string, Reply]>([
    ["may not be kept", { body: "own" }],
    ["does not come", { isAway: true }],
    ["breaks off", { ...minute, isHalf: true }],
  ])("ask for themselves once it is clear that the one answer %s", (_what, reply) => {
    const [first, second, third] = [ask(), ask(), ask()];
    sent[0]?.answer(reply);
    expect(sent).toHaveLength(3);
    sent[1]?.answer({ body: "second" });
    sent[2]?.answer({ body: "third" });
    expect([first?.body === "own", second?.body, third?.body]).toEqual([
      reply.body === "own",
      "second",
      "third",
    ]);
  });

  const together = (count: number) => Array.from({ length: count }, () => ask());

  test("don't wait where the last answer was not to be kept", () => {
    askAnd({ body: "own" });
    ask();
    ask();
    expect(sent).toHaveLength(3);
  });

  test.each([
    "public, max-age=0, stale-if-error=300",
    "public, max-age=60, must-revalidate",
    "public, no-cache",
  ])("don't wait where the last answer was good for one only: %s", (cacheControl) => {
    askAnd({ headers: { "cache-control": cacheControl, etag: '"a"' }, body: "one" });
    const all = together(10);
    expect(sent).toHaveLength(11);
    // One instance hangs: that is for its own caller to wait for.
    for (const { validators, answer } of sent.slice(2)) {
      expect(validators).toEqual({ "if-none-match": '"a"' });
      answer({ status: 304, headers: { "cache-control": cacheControl, etag: '"a"' } });
    }
    expect(all.slice(1).map(({ body, result }) => [body, result])).toEqual(
      Array(9).fill(["one", "revalidated"]),
    );
    cache.forget("/api/things");
    together(10);
    expect(sent).toHaveLength(21);
  });

  test("learn from the head of the first answer that it is good for one only", () => {
    let first: Sink | undefined;
    const request = { method: "GET", url: "/api/things", headers: { host: "shop" } };
    const send = (sink: Sink) => {
      first = sink;
    };
    const caller = callerOf({ status: 0, headers: {}, body: "", result: undefined, isBroken: false });
    cache.answer({ request, hasToken: false, caller, send, refresh: send, onResult() {} });
    together(9);
    expect(sent).toHaveLength(0);
    first?.head(200, "", ["cache-control", "public, max-age=0"]);
    expect(sent).toHaveLength(9);
    ask();
    expect(sent).toHaveLength(10);
  });

  test("wait again once an answer is good for all of them", () => {
    askAnd({ headers: { "cache-control": "public, max-age=0" }, body: "one" });
    askAnd(minute);
    pass(61);
    together(10);
    expect(sent).toHaveLength(3);
  });

  test("wait for an answer that may be given out while a new one is asked for", () => {
    askAnd({ headers: { "cache-control": "max-age=0, stale-while-revalidate=10" }, body: "one" });
    pass(11);
    together(10);
    expect(sent).toHaveLength(2);
  });

  test.each<[string, Reply]>([
    ["there was none", { isAway: true }],
    ["it failed", { status: 503 }],
    ["it broke off", { ...minute, isHalf: true }],
  ])("wait for the first answer of all only, also where %s", (_what, reply) => {
    askAnd(reply);
    together(10);
    expect(sent).toHaveLength(11);
  });

  test("don't wait where nothing is kept", () => {
    cache = cacheOf({ maxBytes: 0 });
    together(10);
    expect(sent).toHaveLength(10);
  });
});

describe("whose an answer is", () => {
  const riya = { headers: { authorization: "Bearer riya" } };
  const arjun = { headers: { authorization: "Bearer arjun" } };

  test("one for somebody with a token is kept only if it says that it is public", () => {
    askAnd(minute, riya);
    expect(askAnd({ body: "two" }, riya).body).toBe("two");
    expect(askAnd({ body: "three" }).body).toBe("three");
    const forAll = { headers: { "cache-control": "public, max-age=60" }, body: "all" };
    askAnd(forAll, { ...riya, url: "/api/all" });
    expect([ask({ ...arjun, url: "/api/all" }).body, ask({ url: "/api/all" }).body]).toEqual(["all", "all"]);
  });

  test("one for nobody in particular is not for somebody with a token, unless it says that it is public", () => {
    askAnd(minute);
    expect(askAnd({ body: "hello Riya" }, riya).body).toBe("hello Riya");
    expect(ask().body).toBe("one");
  });

  test("one that varies by the token stays with it", () => {
    const headers = { "cache-control": "public, max-age=60", vary: "Authorization" };
    askAnd({ headers, body: "Riya's" }, riya);
    expect(askAnd({ headers, body: "Arjun's" }, arjun).body).toBe("Arjun's");
    expect(ask(riya).body).toBe("Riya's");
    expect(askAnd({ body: "nobody's" }).body).toBe("nobody's");
  });

  test("nobody ever gets what was made for another, whatever services say of it and whenever it comes", () => {
    const cacheControl = fc.constantFrom(
      ...["max-age=60", "private, max-age=60", "s-maxage=60", "no-cache", "must-revalidate, max-age=60"],
      ...[
        "max-age=1, stale-while-revalidate=60",
        "max-age=1, stale-if-error=60",
        "max-age=60, immutable",
        "",
      ],
    );
    const step = fc.record({
      who: fc.constantFrom("", "riya", "arjun"),
      path: fc.constantFrom("/a", "/b"),
      cacheControl,
      vary: fc.constantFrom("", "accept", "authorization"),
      status: fc.constantFrom(200, 304, 404, 503),
      waits: fc.nat(90),
      /** How many requests are answered then, the oldest first. */
      answers: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        cache = cacheOf();
        sent = [];
        let answered = 0;
        const callers: { who: string; got: Got }[] = [];
        const answerNext = ({
          status,
          ...said
        }: Pick<(typeof steps)[0], "status" | "cacheControl" | "vary">) => {
          const next = sent[answered];
          answered += 1;
          const headers = { "cache-control": said.cacheControl, vary: said.vary, etag: '"a"' };
          next?.answer({ status, headers, body: status === 304 ? "" : `for ${next.who}` });
        };
        for (const { who, path, waits, answers, ...said } of steps) {
          pass(waits);
          callers.push({ who, got: ask({ url: path, headers: who === "" ? {} : { authorization: who } }) });
          for (let count = 0; count < answers && answered < sent.length; count++) {
            answerNext(said);
          }
        }
        while (answered < sent.length) {
          answerNext({ status: 200, cacheControl: "max-age=60", vary: "" });
        }
        for (const { who, got } of callers) {
          expect(got.status).toBeGreaterThan(0);
          expect(["", `for ${who}`]).toContain(got.body);
        }
      }),
      { numRuns: 500 },
    );
  });
});
