import type { Progress } from "../toolchain/install.ts";
import { say } from "./output.ts";

/** A line for each step of a tool's installation. */
export function reportProgress({ tool, step, detail }: Progress): void {
  say(`  ${tool}: ${step}${detail ? ` (${detail})` : ""}`);
}
