import { expect, test } from "vitest";
import { continueTrace } from "./trace.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";

test("goes on with a caller's trace, as a step of its own", () => {
  const sent = `00-${traceId}-b7ad6b7169203331-00`;
  const trace = continueTrace(sent);
  expect(trace.traceId).toBe(traceId);
  expect(trace.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  expect(trace.traceparent).not.toBe(sent);
});

test.each([
  undefined,
  "",
  "nonsense",
  `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
])("begins a trace where %j can't be read", (header) => {
  const { traceId: begun } = continueTrace(header);
  expect(begun).toMatch(/^[0-9a-f]{32}$/);
  expect(begun).not.toBe(traceId);
});
