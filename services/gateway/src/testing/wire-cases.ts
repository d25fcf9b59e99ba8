import type { RawExchange } from "../../../../tests/support/raw-client.ts";
import { type RawMessage, valuesOf } from "../../../../tests/support/raw-http.ts";

/** What a proxy did with some bytes. */
export interface Handling extends RawExchange {
  /** What has reached the instance. */
  requests: RawMessage[];
  /** All bytes that have reached it. */
  received: string;
}

/** Bytes that are sent to each proxy, and what is to come of them. */
export interface WireCase {
  what: string;
  /** As of `RawRequest`; `<token>` stands for a person's token. */
  parts: string[];
  answers?: number;
  isHead?: boolean;
  /** What the instance answers. */
  upstream?: string;
  /** The instance closes the connection behind its answer. */
  upstreamCloses?: boolean;
  /** The fact that is looked at. */
  look(handling: Handling): unknown;
  /** The gateway's, and the others' where they do alike. */
  gateway: unknown;
  /** Where nginx does otherwise. */
  nginx?: unknown;
  /** Where Envoy does otherwise. */
  envoy?: unknown;
}

/** Nothing of a request reaches the instance. */
const declined = (status: number) => ({ statuses: [status], reached: "" });
const outcome = ({ statuses, received }: Handling) => ({ statuses, reached: received.split("\r\n")[0] });
/** And what follows on the connection is not read as another one. */
const refused = (status: number) => ({ ...declined(status), isClosed: true });
const lasting = (handling: Handling) => ({ ...outcome(handling), isClosed: handling.isClosed });
/** It reaches the instance, as it should not. */
const handedOn = { statuses: [200], reached: "GET /api/things HTTP/1.1" };
const taken = { ...handedOn, isClosed: false };
const takenAsWhole = { statuses: [200], whole: 1, isClosed: false };
const untilClosed = Number.POSITIVE_INFINITY;
const statuses = (handling: Handling) => handling.statuses;

/** The last answer. */
const answerOf = ({ answers }: Handling) => answers.at(-1);
const bodyOf = ({ requests }: Handling) => requests[0]?.body;
/** Those of the names that the instance has got. */
const arrived =
  (...names: string[]) =>
  ({ requests }: Handling) =>
    names.filter((name) => valuesOf(requests[0]?.headers, name).length > 0);
/** Those of the names that the caller has got. */
const returned =
  (...names: string[]) =>
  (handling: Handling) =>
    names.filter((name) => valuesOf(answerOf(handling)?.headers, name).length > 0);

const bearer = "Authorization: Bearer <token>";
/** A request's head, with the line that it ends with. */
const head = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
const get = (...lines: string[]) => head("GET /api/things HTTP/1.1", "Host: shop", bearer, ...lines);
const post = (...lines: string[]) => head("POST /api/things HTTP/1.1", "Host: shop", bearer, ...lines);
const target = (text: string) => head(`GET ${text} HTTP/1.1`, "Host: shop", bearer);
const targetOf = ({ requests }: Handling) => requests[0]?.startLine.split(" ")[1];
/** The target as it reached the instance. */
const targetOrRefusal = (handling: Handling) => targetOf(handling) ?? "refused";
/** All of them: several requests of one connection may reach it over several. */
const paths = ({ requests }: Handling) => requests.map(({ startLine }) => startLine.split(" ")[1]).toSorted();
const whole = ({ statuses: own, requests, isClosed }: Handling) => ({
  statuses: own,
  whole: requests.length,
  isClosed,
});
const neverWhole = { statuses: [400], whole: 0, isClosed: true };

const hello = "5\r\nhello\r\n";

/** What is for one connection only, and what is for the whole way. */
const connections: WireCase[] = [
  {
    what: "headers of the caller's connection stay on it",
    parts: [
      get(
        "Connection: keep-alive, x-hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic c2VjcmV0",
        "TE: gzip",
        "X-End: 2",
      ),
    ],
    look: arrived("x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "te", "x-end"),
    gateway: ["x-end"],
    nginx: ["x-hop", "proxy-connection", "proxy-authorization", "x-end"],
    envoy: ["proxy-authorization", "x-end"],
  },
  {
    what: "headers of the instance's connection stay on it",
    parts: [get()],
    upstream: head(
      "HTTP/1.1 200 OK",
      "Connection: keep-alive, x-hop",
      "X-Hop: 1",
      "Keep-Alive: timeout=99",
      "X-End: 2",
      "Content-Length: 0",
    ),
    look: returned("x-hop", "x-end"),
    gateway: ["x-end"],
    nginx: ["x-hop", "x-end"],
    envoy: ["x-hop", "x-end"],
  },
  {
    what: "a caller who closes behind the request has the connection closed behind the answer",
    parts: [get("Connection: close")],
    look: (handling) => [handling.statuses, valuesOf(answerOf(handling)?.headers, "connection")],
    gateway: [[200], ["close"]],
  },
  {
    what: "HTTP/1.0 needs no Host",
    parts: [head("GET /api/things HTTP/1.0", bearer)],
    look: statuses,
    gateway: [200],
    envoy: [426],
  },
  {
    what: "requests that are sent at once are answered in their order",
    parts: [`${target("/api/things/1")}${target("/api/things/2")}`],
    answers: 2,
    look: (handling) => [handling.statuses, paths(handling)],
    gateway: [
      [200, 200],
      ["/api/things/1", "/api/things/2"],
    ],
  },
  {
    what: "an upgrade that the instance does not know is an ordinary request",
    parts: [
      get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    ],
    look: (handling) => [handling.statuses, arrived("upgrade", "http2-settings")(handling)],
    gateway: [[200], []],
    nginx: [[200], ["http2-settings"]],
  },
];

const expectations: WireCase[] = [
  {
    what: "a body that waits for 100 Continue is asked for, and arrives",
    parts: [post("Content-Length: 5", "Expect: 100-continue"), "hello"],
    look: (handling) => [handling.statuses, bodyOf(handling)],
    gateway: [[100, 200], "hello"],
  },
  {
    what: "an unknown expectation is refused",
    parts: [get("Expect: 200-maybe")],
    look: outcome,
    gateway: declined(417),
    nginx: handedOn,
    envoy: handedOn,
  },
];

const bodies: WireCase[] = [
  {
    what: "HEAD is answered with the length and without the body, and the next request is answered too",
    parts: [
      `${head("HEAD /api/things HTTP/1.1", "Host: shop", bearer)}${head("HEAD /api/things HTTP/1.1", "Host: shop", bearer)}`,
    ],
    answers: 2,
    isHead: true,
    upstream: head("HTTP/1.1 200 OK", "Content-Length: 5"),
    look: ({ answers }) => answers.map(({ headers }) => valuesOf(headers, "content-length")),
    gateway: [["5"], ["5"]],
  },
  {
    what: "204 has no body, and neither a length nor a coding",
    parts: [`${get()}${get()}`],
    answers: 2,
    upstream: head("HTTP/1.1 204 No Content"),
    look: (handling) => [handling.statuses, returned("content-length", "transfer-encoding")(handling)],
    gateway: [[204, 204], []],
  },
  {
    what: "304 has no body, and the next request is answered too",
    parts: [`${get()}${get()}`],
    answers: 2,
    upstream: head("HTTP/1.1 304 Not Modified", 'ETag: "a"'),
    look: (handling) => [handling.statuses, returned("etag", "transfer-encoding")(handling)],
    gateway: [[304, 304], ["etag"]],
  },
  {
    what: "a body of chunks arrives whole",
    parts: [`${post("Transfer-Encoding: chunked")}${hello}1;extension=1\r\n!\r\n0\r\n\r\n`],
    look: (handling) => [handling.statuses, bodyOf(handling)],
    gateway: [[200], "hello!"],
  },
  {
    what: "an answer of chunks arrives whole",
    parts: [get()],
    upstream: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}${hello}0\r\n\r\n`,
    look: (handling) => answerOf(handling)?.body,
    gateway: "hello",
  },
  {
    what: "a caller of HTTP/1.0 gets no chunks",
    parts: [head("GET /api/things HTTP/1.0", "Host: shop", bearer)],
    upstream: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}${hello}0\r\n\r\n`,
    look: (handling) => answerOf(handling)?.isChunked,
    gateway: false,
  },
  {
    // undici sends none.
    what: "trailers of a request end here, and its body arrives whole",
    parts: [`${post("Transfer-Encoding: chunked", "Trailer: X-Sum")}${hello}0\r\nX-Sum: 1\r\n\r\n`],
    look: ({ requests }) => [requests[0]?.body, valuesOf(requests[0]?.trailers, "x-sum")],
    gateway: ["hello", []],
    envoy: ["hello", ["1"]],
  },
  {
    what: "trailers of an answer reach a caller who takes them",
    parts: [get("TE: trailers", "Connection: TE")],
    upstream: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum")}${hello}0\r\nX-Sum: 1\r\n\r\n`,
    look: (handling) => valuesOf(answerOf(handling)?.trailers, "x-sum"),
    gateway: ["1"],
    nginx: [],
  },
  {
    what: "a body with GET arrives",
    parts: [`${get("Content-Length: 5")}hello`],
    look: (handling) => [handling.statuses, bodyOf(handling)],
    gateway: [[200], "hello"],
  },
];

const headers: WireCase[] = [
  {
    what: "each Set-Cookie stays a line of its own, in its order",
    parts: [get()],
    upstream: head("HTTP/1.1 200 OK", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 0"),
    look: (handling) => valuesOf(answerOf(handling)?.headers, "set-cookie"),
    gateway: ["a=1", "b=2"],
  },
  {
    what: "no value of a repeated header is lost",
    parts: [get("X-Many: 1", "X-Many: 2")],
    look: ({ requests }) => valuesOf(requests[0]?.headers, "x-many").join(", "),
    gateway: "1, 2",
  },
  {
    what: "no value of a repeated header of an answer is lost",
    parts: [get()],
    upstream: head("HTTP/1.1 200 OK", "X-Many: 1", "X-Many: 2", "Content-Length: 0"),
    look: (handling) => valuesOf(answerOf(handling)?.headers, "x-many").join(", "),
    gateway: "1, 2",
  },
  {
    what: "repeated cookies reach the instance as one or as several, none lost",
    parts: [get("Cookie: a=1", "Cookie: b=2")],
    look: ({ requests }) => valuesOf(requests[0]?.headers, "cookie").join("; "),
    gateway: "a=1; b=2",
  },
  {
    what: "bytes beyond ASCII in a value arrive as they were sent",
    parts: [get("X-Name: caf\xe9")],
    look: ({ requests }) => valuesOf(requests[0]?.headers, "x-name"),
    gateway: ["caf\xe9"],
  },
];

const targets: WireCase[] = [
  {
    what: "an absolute target is one of this server, whatever its host",
    parts: [target("http://elsewhere/api/things/1?a=b")],
    look: targetOrRefusal,
    gateway: "/api/things/1?a=b",
  },
  {
    what: "OPTIONS * is not handed on",
    parts: [head("OPTIONS * HTTP/1.1", "Host: shop", bearer)],
    look: outcome,
    gateway: declined(400),
    envoy: declined(404),
  },
  {
    what: "CONNECT opens no tunnel",
    parts: [head("CONNECT elsewhere:443 HTTP/1.1", "Host: elsewhere:443", bearer)],
    look: outcome,
    gateway: { statuses: [], reached: "" },
    nginx: declined(400),
    envoy: declined(404),
  },
  {
    what: "a slash that is encoded stays encoded",
    parts: [target("/api/things/a%2Fb")],
    look: targetOrRefusal,
    gateway: "/api/things/a%2Fb",
  },
  {
    what: "dot segments lead nowhere else",
    parts: [target("/api/things/../users/1")],
    look: targetOrRefusal,
    gateway: "refused",
    nginx: "/api/things/../users/1",
    envoy: "/api/things/../users/1",
  },
  {
    what: "nor do encoded ones",
    parts: [target("/api/things/%2e%2E/users/1")],
    look: targetOrRefusal,
    gateway: "refused",
    nginx: "/api/things/%2e%2E/users/1",
    envoy: "/api/things/%2e%2E/users/1",
  },
  {
    what: "a fragment is no part of a target",
    parts: [target("/api/things#part")],
    look: targetOrRefusal,
    gateway: "refused",
    nginx: "/api/things#part",
  },
  {
    what: "a target without a slash before it is refused",
    parts: [target("api/things")],
    look: outcome,
    gateway: declined(400),
  },
  {
    what: "a target with a space in it is refused",
    parts: [target("/api/things/a b")],
    look: outcome,
    gateway: declined(400),
  },
];

/** What two servers could read as two different requests (RFC 9112 §11.2). */
const smuggling: WireCase[] = [
  {
    what: "two lengths that differ are refused",
    parts: [`${post("Content-Length: 5", "Content-Length: 6")}hello!`],
    look: lasting,
    gateway: refused(400),
  },
  {
    what: "the same length twice is refused",
    parts: [`${post("Content-Length: 5", "Content-Length: 5")}hello`],
    look: lasting,
    gateway: refused(400),
  },
  {
    what: "a list of lengths is refused",
    parts: [`${post("Content-Length: 5, 5")}hello`],
    look: lasting,
    gateway: refused(400),
  },
  ...["+5", "-5", "0x5", "5 5", ""].map((length) => ({
    what: `a length of "${length}" is refused`,
    parts: [`${post(`Content-Length: ${length}`)}hello`],
    look: lasting,
    gateway: refused(400),
  })),
  {
    what: "a length beside chunks is refused",
    parts: [`${post("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`],
    look: lasting,
    gateway: refused(400),
  },
  {
    what: "chunks before a length are refused too",
    parts: [`${post("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n`],
    look: lasting,
    gateway: refused(400),
  },
  ...[
    { coding: "identity", envoy: refused(501) },
    { coding: "chunked, identity", envoy: refused(501) },
    { coding: "xchunked", envoy: refused(501) },
    { coding: "chunked, chunked", envoy: refused(501) },
    { coding: "\x0bchunked", envoy: refused(400) },
  ].map(({ coding, envoy }) => ({
    what: `a transfer coding of ${JSON.stringify(coding)} is refused`,
    parts: [`${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`],
    look: lasting,
    gateway: refused(400),
    nginx: refused(501),
    envoy,
  })),
  {
    what: "chunks twice are refused",
    parts: [`${post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`],
    look: lasting,
    gateway: refused(400),
    envoy: refused(501),
  },
  {
    what: "chunks of HTTP/1.0 are refused",
    parts: [
      `${head("POST /api/things HTTP/1.0", "Host: shop", bearer, "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ],
    look: lasting,
    gateway: refused(400),
    envoy: refused(426),
  },
  ...["zz", "-5", "0x5", "FFFFFFFFFFFFFFFFF"].map((size) => ({
    what: `a chunk of the size "${size}" never becomes a whole request`,
    parts: [`${post("Transfer-Encoding: chunked")}${size}\r\nhello\r\n0\r\n\r\n`],
    look: whole,
    gateway: neverWhole,
  })),
  {
    what: 'a chunk of the size "5 5" never becomes a whole request',
    parts: [`${post("Transfer-Encoding: chunked")}5 5\r\nhello\r\n0\r\n\r\n`],
    look: whole,
    gateway: neverWhole,
    nginx: takenAsWhole,
    envoy: takenAsWhole,
  },
  {
    what: "a chunk that is longer than its size never becomes a whole request",
    parts: [`${post("Transfer-Encoding: chunked")}3\r\nhello\r\n0\r\n\r\n`],
    look: whole,
    gateway: neverWhole,
    envoy: takenAsWhole,
  },
  {
    what: "a request in what should be a body is answered by the instance or nobody",
    parts: [`${post("Content-Length: 0")}${target("/api/things/2")}`],
    answers: 2,
    look: paths,
    gateway: ["/api/things", "/api/things/2"],
  },
];

const malformed: WireCase[] = [
  {
    what: "a header that goes on in the next line is refused",
    parts: [get("X-Folded: one", " two")],
    look: lasting,
    gateway: refused(400),
    envoy: taken,
  },
  {
    what: "lines that end with a line feed only are refused",
    parts: [get().replaceAll("\r\n", "\n")],
    look: lasting,
    gateway: refused(400),
    nginx: taken,
    envoy: taken,
  },
  {
    what: "a carriage return within a value is refused",
    parts: [get("X-Value: one\rtwo")],
    look: lasting,
    gateway: refused(400),
    envoy: taken,
  },
  ...[
    { line: "X-Value: one\0two", what: "NUL in a value" },
    { line: "X-Na\0me: one", what: "NUL in a name" },
    { line: "X Name: one", what: "a space in a name" },
    { line: "X-Name : one", what: "a space behind a name" },
    { line: ": one", what: "no name" },
    { line: "X-Name", what: "no colon", nginx: taken },
    { line: "X-N\xe4me: one", what: "a name of other bytes", nginx: taken },
  ].map(({ line, what, ...others }) => ({
    what: `${what} is refused`,
    parts: [get(line)],
    look: lasting,
    gateway: refused(400),
    ...others,
  })),
  {
    what: "a request of HTTP/1.1 without Host is refused",
    parts: [head("GET /api/things HTTP/1.1", bearer)],
    look: lasting,
    gateway: refused(400),
  },
  {
    what: "two Hosts are refused",
    parts: [head("GET /api/things HTTP/1.1", "Host: shop", "Host: other", bearer)],
    look: outcome,
    gateway: declined(400),
    envoy: handedOn,
  },
  {
    what: "an unknown version is refused",
    parts: [head("GET /api/things HTTP/3.7", "Host: shop", bearer)],
    look: lasting,
    gateway: refused(400),
    nginx: refused(505),
    envoy: refused(426),
  },
  {
    what: "the preface of HTTP/2 is refused",
    parts: ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    look: lasting,
    gateway: refused(400),
    envoy: { statuses: [], reached: "", isClosed: false },
  },
  {
    what: "TLS is no HTTP",
    parts: ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    look: lasting,
    gateway: refused(400),
  },
  {
    what: "headers of 100 KB are refused",
    parts: [get(...Array.from({ length: 100 }, (_, index) => `X-Large-${index}: ${"x".repeat(1000)}`))],
    look: lasting,
    gateway: refused(431),
    nginx: refused(400),
  },
  {
    what: "a target of 100 KB is refused",
    parts: [target(`/api/things?${"x".repeat(100_000)}`)],
    look: lasting,
    gateway: refused(431),
    nginx: refused(414),
  },
  {
    what: "a method that nobody knows is refused",
    parts: [head("BREW /api/things HTTP/1.1", "Host: shop", bearer)],
    look: lasting,
    gateway: refused(400),
    nginx: { ...taken, reached: "BREW /api/things HTTP/1.1" },
  },
  {
    what: "methods are told by their case",
    parts: [head("get /api/things HTTP/1.1", "Host: shop", bearer)],
    look: lasting,
    gateway: refused(400),
  },
];

/** Instances that answer badly. */
const badAnswers: WireCase[] = [
  {
    what: "what is no HTTP becomes 502",
    parts: [get()],
    upstream: "SSH-2.0-OpenSSH_9.2\r\n",
    upstreamCloses: true,
    look: statuses,
    gateway: [502],
    nginx: [],
  },
  {
    what: "an instance that closes without an answer becomes 502",
    parts: [post("Content-Length: 0")],
    upstream: "",
    upstreamCloses: true,
    look: statuses,
    gateway: [502],
    envoy: [503],
  },
  {
    what: "an answer with two lengths becomes 502",
    parts: [get()],
    upstream: `${head("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6")}hello!`,
    look: statuses,
    gateway: [502],
    nginx: [200],
  },
  {
    what: "an answer with a length beside chunks becomes 502",
    parts: [get()],
    upstream: `${head("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked")}${hello}0\r\n\r\n`,
    look: statuses,
    gateway: [502],
    nginx: [200],
  },
  {
    what: "an answer that ends too early is not passed off as whole",
    parts: [get()],
    upstream: `${head("HTTP/1.1 200 OK", "Content-Length: 50")}hello`,
    upstreamCloses: true,
    look: ({ answers, isClosed }) => ({ whole: answers.length, isClosed }),
    gateway: { whole: 0, isClosed: true },
  },
  {
    what: "chunks that end too early are not passed off as whole",
    parts: [get()],
    upstream: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}${hello}`,
    upstreamCloses: true,
    look: ({ answers, isClosed }) => ({ whole: answers.length, isClosed }),
    gateway: { whole: 0, isClosed: true },
  },
  {
    what: "an interim answer is none",
    parts: [get()],
    upstream: `${head("HTTP/1.1 103 Early Hints", "Link: </style.css>")}${head("HTTP/1.1 200 OK", "Content-Length: 0")}`,
    look: ({ statuses: own }) => own.at(-1),
    gateway: 200,
    nginx: undefined,
  },
  {
    what: "what follows an answer is none of the next caller's",
    parts: [`${get()}${get()}`],
    answers: 2,
    upstream: `${head("HTTP/1.1 200 OK", "Content-Length: 0")}${head("HTTP/1.1 500 Poison", "Content-Length: 0")}`,
    look: ({ statuses: own }) => own.includes(500),
    gateway: false,
  },
];

/** All cases. */
export const wireCases: WireCase[] = [
  ...connections,
  ...expectations,
  ...bodies,
  ...headers,
  ...targets,
  ...[...smuggling, ...malformed].map((one) => ({ answers: untilClosed, ...one })),
  ...badAnswers,
];
