import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import type { Distributed } from "../../../toolchain/tools.ts";
import { LabError } from "../../errors.ts";

/** What one proxy did in one round. */
export interface Sample {
  requestsPerSecond: number;
  /** Until the whole answer, as the load has seen it. */
  latencyMs: { p50: number; p99: number; "p99.9": number };
}

export interface Load {
  url: string;
  /** Sent as a Bearer token. */
  token?: string;
  connections: number;
  seconds: number;
}

const report = z.object({
  requests: z.number(),
  durationUs: z.number(),
  p50: z.number(),
  p99: z.number(),
  "p99.9": z.number(),
  errors: z.record(z.string(), z.number()),
});

/**
 * Asks for one URL over so many kept connections, each of which has one request under way: the next one waits for the answer, so
 * a slow proxy is asked less often than a quick one, and its times look better than at a fixed rate.
 *
 * @throws LabError when anything failed, or nothing was answered
 */
export async function runWrk(
  { executable, libraryPath }: Distributed,
  { url, token, connections, seconds }: Load,
  signal: AbortSignal,
): Promise<Sample> {
  const { stdout } = await execa(
    executable,
    [
      ...["--threads", "1", "--connections", String(connections), "--duration", `${seconds}s`],
      ...["--script", join(import.meta.dirname, "wrk.lua")],
      ...(token ? ["--header", `Authorization: Bearer ${token}`] : []),
      url,
    ],
    { cancelSignal: signal, stdin: "ignore", detached: true, env: { LD_LIBRARY_PATH: libraryPath } },
  );
  return sampleOf(stdout);
}

/**
 * Reads what wrk.lua has printed.
 *
 * @throws LabError when it says that anything failed, or that nothing was answered
 */
export function sampleOf(output: string): Sample {
  const line = output.split("\n").findLast((text) => text.startsWith("{"));
  const { requests, durationUs, errors, ...percentiles } = report.parse(JSON.parse(line ?? "null"));
  const failed = Object.entries(errors).filter(([, count]) => count > 0);
  if (requests === 0 || failed.length > 0) {
    const kinds = failed.map(([kind, count]) => `${kind}: ${count}`).join(", ");
    throw new LabError(
      "failed",
      "bad-sample",
      `Of ${requests} requests some failed${kinds ? ` (${kinds})` : ""}: what is left says nothing.`,
      "Run it again with nothing else on the machine; if it stays, the proxy's log says why.",
    );
  }
  return {
    requestsPerSecond: Math.round(requests / (durationUs / 1e6)),
    latencyMs: {
      p50: percentiles.p50 / 1000,
      p99: percentiles.p99 / 1000,
      "p99.9": percentiles["p99.9"] / 1000,
    },
  };
}
