import * as pulumi from "@pulumi/pulumi";

/** The `lab:` settings of the current stack as text, without the namespace; unknown ones too, so that they are noticed. */
export function stackSettings(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith("lab:"))
      .map(([key, value]) => [key.slice("lab:".length), value]),
  );
}
