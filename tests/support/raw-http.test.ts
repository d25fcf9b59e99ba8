import { expect, test } from "vitest";
import { takeMessage, valuesOf } from "./raw-http.ts";

test("a message is taken off what has arrived once it is whole, and the next one stays", () => {
  const first = "POST / HTTP/1.1\r\nX-Many: 1\r\nx-many: 2\r\nContent-Length: 5\r\n\r\nhello";
  expect(takeMessage(first.slice(0, -1))).toBeUndefined();
  const taken = takeMessage(`${first}GET`);
  expect(taken?.rest).toBe("GET");
  expect(taken?.message).toMatchObject({ startLine: "POST / HTTP/1.1", body: "hello", isChunked: false });
  expect(valuesOf(taken?.message.headers, "x-many")).toEqual(["1", "2"]);
});

test("chunks are put together, and trailers are told from headers", () => {
  const bytes =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\nmore";
  expect(takeMessage(bytes)).toEqual({
    message: {
      startLine: "HTTP/1.1 200 OK",
      headers: [["Transfer-Encoding", "chunked"]],
      body: "hello",
      trailers: [["X-Sum", "1"]],
      isChunked: true,
    },
    rest: "more",
  });
  expect(takeMessage(bytes.slice(0, -"\r\n\r\nmore".length))).toBeUndefined();
  expect(takeMessage("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore")?.rest).toBe(
    "more",
  );
});

test.each([
  ["an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", true],
  ["a 304 that tells of a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true],
  ["what answers HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false],
])("%s has no body", (_what, bytes, hasBody) => {
  expect(takeMessage(`${bytes}next`, hasBody)).toMatchObject({ rest: "next", message: { body: "" } });
});
