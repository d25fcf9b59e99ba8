import { CommanderError } from "commander";

/** What the exit code of a `lab` command means. */
export const exitCodes = {
  ok: 0,
  /** A mistake of the lab itself. */
  unexpected: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Something on this machine is missing, taken or full, or the environment isn't up. */
  missing: 3,
  /** Something that was tried has failed: an update, a statement, a test. */
  failed: 4,
  interrupted: 130,
} as const;

/** An error for the person at the terminal: what happened, and what to do about it. */
export class LabError extends Error {
  override name = "LabError";
  readonly exitCode: number;
  /** For programs: a word or two that stay the same. */
  readonly code: string;
  readonly remedy: string;

  constructor(kind: keyof typeof exitCodes, code: string, message: string, remedy: string) {
    super(message);
    this.exitCode = exitCodes[kind];
    this.code = code;
    this.remedy = remedy;
  }
}

/** Any error as a {@link LabError}. */
export function asLabError(error: unknown): LabError {
  if (error instanceof LabError) {
    return error;
  }
  if (error instanceof CommanderError) {
    return new LabError(
      "usage",
      "usage",
      error.message.replace(/^error: /, ""),
      "lab --help shows what there is.",
    );
  }
  const { name, message, stack, remedy } = error as Error & { remedy?: string };
  if (remedy !== undefined) {
    return new LabError("missing", "tool-missing", message, remedy);
  }
  if (name === "ConfigurationError") {
    return new LabError("usage", "configuration", message, "Correct the file and run this again.");
  }
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") {
    return new LabError(
      "missing",
      "disk-full",
      message,
      "Free some disk space; `lab doctor` shows how much is needed where.",
    );
  }
  const refused = refusedConnectionOf(error);
  if (refused) {
    return new LabError(
      "missing",
      "not-running",
      `Nothing answers at ${refused.address}:${refused.port}.`,
      "./lab status shows what runs; ./lab up starts what is missing.",
    );
  }
  return new LabError(
    "unexpected",
    "unexpected",
    process.env.LAB_DEBUG ? (stack ?? message) : message,
    "This looks like a mistake in the lab. LAB_DEBUG=1 shows where it happened.",
  );
}

/** A connection that a machine refuses, as Node.js says it (`net.connect`). */
interface RefusedConnection {
  code: "ECONNREFUSED";
  address: string;
  port: number;
}

/** Clients wrap it, and Node.js itself does where a name has several addresses. */
function refusedConnectionOf(error: unknown): RefusedConnection | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  const { code, address } = error as Partial<RefusedConnection>;
  if (code === "ECONNREFUSED" && address !== undefined) {
    return error as unknown as RefusedConnection;
  }
  const inner = error instanceof AggregateError ? error.errors : [error.cause];
  return inner.map(refusedConnectionOf).find((found) => found !== undefined);
}
