import { expect, test } from "vitest";
import { inOrder, newTrace, type Visit, visitsIn } from "./trail.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const request = {
  service: "order",
  time: "2025-10-28T10:00:00.000Z",
  traceId,
  msg: "request",
  method: "POST",
  path: "/api/orders",
  status: 201,
  durationMs: 12,
  stores: { mysql: { calls: 4, ms: 7.5 } },
};
const event = {
  service: "payment",
  time: "2025-10-28T10:00:00.100Z",
  traceId,
  msg: "event",
  type: "order.placed.v1",
  outcome: "done",
  durationMs: 30,
  stores: { mysql: { calls: 2, ms: 3 }, "http:payment-provider": { calls: 1, ms: 20 } },
};

test("requests and events of the trace are visits, with the stores that they called", () => {
  const log = [
    `${JSON.stringify(request).slice(-40)}`,
    JSON.stringify(request),
    JSON.stringify({ ...request, traceId: "another" }),
    JSON.stringify({ level: "warn", traceId, msg: "a backend is away" }),
    "no JSON at all",
    JSON.stringify(event),
    "",
  ].join("\n");
  expect(visitsIn(log, traceId)).toEqual([
    {
      service: "order",
      at: request.time,
      what: "POST /api/orders → 201",
      durationMs: 12,
      stores: request.stores,
    },
    {
      service: "payment",
      at: event.time,
      what: "order.placed.v1 → done",
      durationMs: 30,
      stores: event.stores,
    },
  ]);
});

test("a trace that only another line's text names is not it", () => {
  expect(visitsIn(JSON.stringify({ ...request, traceId: "other", path: `/${traceId}` }), traceId)).toEqual(
    [],
  );
});

test("each request has a trace of its own, in the form of the standard", () => {
  const { traceparent, traceId: id } = newTrace();
  expect(traceparent).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-01$`));
  expect(newTrace().traceId).not.toBe(id);
});

test("what the gateway did is a visit that called the service", () => {
  const line = {
    ...request,
    service: "gateway",
    stores: undefined,
    upstream: "order",
    attempts: 2,
    upstreamMs: 9,
  };
  expect(visitsIn(JSON.stringify(line), line.traceId)).toMatchObject([
    { service: "gateway", stores: { "http:order": { calls: 2, ms: 9 } } },
  ]);
});

test("what began first comes first, and the gateway before all, though by its rounded time it began later", () => {
  const visit = (service: string, at: string, durationMs: number): Visit => ({
    service,
    at: `2025-10-28T10:00:00.${at}Z`,
    what: "POST /api/orders → 201",
    durationMs,
    stores: {},
  });
  const order = visit("order", "020", 10.9);
  const gateway = visit("gateway", "022", 12.1);
  const payment = visit("payment", "050", 20);
  expect(inOrder([payment, order, gateway])).toEqual([gateway, order, payment]);
});
