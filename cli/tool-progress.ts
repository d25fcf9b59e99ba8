import { type InstallOptions, installTools, type Progress } from "../toolchain/install.ts";
import { say } from "./output.ts";

/** Installs the tools that are missing, with a line for each step. Says nothing when none is. */
export async function installMissingTools(
  options: Pick<InstallOptions, "names" | "keepCaches"> = {},
): Promise<void> {
  let hasBegun = false;
  await installTools({
    ...options,
    report(progress) {
      if (!hasBegun) {
        say(
          "Installing tools, once: minutes where publishers can be reached, else up to half an hour of building …",
        );
        hasBegun = true;
      }
      say(describe(progress));
    },
  });
}

function describe({ tool, step, detail }: Progress): string {
  return `  ${tool}: ${step}${detail ? ` (${detail})` : ""}`;
}
