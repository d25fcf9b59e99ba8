import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { readLog, serviceLogs } from "../../job-logs.ts";
import type { Outputs } from "../../outputs.ts";

/** What a service did for a request or an event, as its log says. */
export interface Visit {
  service: string;
  /** When it was done, in ISO 8601. */
  at: string;
  /** Such as `POST /api/orders → 201`, or `order.placed.v1 → done`. */
  what: string;
  durationMs: number;
  /** The stores and services that it called. */
  stores: Record<string, { calls: number; ms: number }>;
}

/** A trace of its own for a request (https://www.w3.org/TR/trace-context/). */
export function newTrace(): { traceId: string; traceparent: string } {
  const traceId = randomBytes(16).toString("hex");
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` };
}

/** How much of a log is read; enough for some hundred lines. */
const maxBytes = 256 * 1024;
const pollMs = 200;
/** When no new line has come for so long, there is no more to come. */
const quietMs = 1200;
const withinMs = 15_000;

/** What the services did in a trace, in the order in which they began, read from their logs until nothing more comes. */
export async function trailOf(outputs: Outputs, traceId: string): Promise<Visit[]> {
  const deadline = Date.now() + withinMs;
  let visits: Visit[] = [];
  let changedAt = Date.now();
  while (Date.now() < deadline && (visits.length === 0 || Date.now() - changedAt < quietMs)) {
    const logs = await serviceLogs(outputs);
    const texts = await Promise.all(logs.map((log) => readLog(outputs, log, maxBytes)));
    const now = texts.flatMap((text) => visitsIn(text, traceId));
    if (now.length !== visits.length) {
      visits = now;
      changedAt = Date.now();
    }
    await delay(pollMs);
  }
  return inOrder(visits);
}

/**
 * In the order in which they began. All that the others did comes of what the gateway was asked; by the times alone it might not
 * be the first, because they are in whole milliseconds and a call may take less.
 */
export function inOrder(visits: Visit[]): Visit[] {
  return visits.toSorted(
    (one, other) => Number(isEntry(other)) - Number(isEntry(one)) || begunAt(one) - begunAt(other),
  );
}

function isEntry({ service }: Visit): boolean {
  return service === "gateway";
}

/** A line is written at the end of what it tells of. */
function begunAt({ at, durationMs }: Visit): number {
  return Date.parse(at) - durationMs;
}

/** A line that a service writes when a request or an event is done. */
interface Line {
  service: string;
  time: string;
  traceId?: string;
  msg: string;
  durationMs: number;
  stores?: Visit["stores"];
  /** Of the gateway: the service that it asked, and how often and how long. */
  upstream?: string;
  attempts?: number;
  upstreamMs?: number;
  /** Of a request. */
  method: string;
  path: string;
  status: number;
  /** Of an event. */
  type: string;
  outcome: string;
}

/** The visits of a trace that a log tells of. */
export function visitsIn(log: string, traceId: string): Visit[] {
  return log
    .split("\n")
    .filter((text) => text.includes(traceId))
    .map(parsed)
    .filter((line) => line?.traceId === traceId && storesOf(line) !== undefined)
    .map((line) => {
      const { service, time, msg, durationMs, method, path, status, type, outcome } = line as Line;
      const stores = storesOf(line as Line) ?? {};
      const what = msg === "request" ? `${method} ${path} → ${status}` : `${type} → ${outcome}`;
      return { service, at: time, what, durationMs, stores };
    });
}

/** What a service called; `undefined` for a line that tells of no whole request or event. */
function storesOf({ stores, upstream, attempts, upstreamMs = 0 }: Line): Visit["stores"] | undefined {
  return attempts === undefined ? stores : { [`http:${upstream}`]: { calls: attempts, ms: upstreamMs } };
}

/** Of the first line of a text only the end may be there. */
function parsed(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
