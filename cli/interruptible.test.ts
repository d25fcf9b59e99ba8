import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

/** Waits for ever unless it is interrupted, cleans up for a moment, and says how it ended. */
const script = `
const { setTimeout: delay } = await import("node:timers/promises");
const { interruptible } = await import(${JSON.stringify(join(import.meta.dirname, "interruptible.ts"))});
const run = async (signal) => {
  try {
    console.error("runs");
    await delay(60_000, undefined, { signal });
  } finally {
    await delay(300);
    console.error("cleaned up");
  }
};
await interruptible(run).catch(({ code }) => console.error(code));
`;

test("a first Ctrl-C is heard at once, and more of them don't cut the clean-up short", async () => {
  const run = execa(process.execPath, ["--input-type=module", "--eval", script]);
  const lines: string[] = [];
  for await (const line of run.iterable({ from: "stderr" })) {
    lines.push(line);
    if (line === "runs" || line.startsWith("Stopping")) {
      run.kill("SIGINT");
    }
  }
  await run;
  expect(lines).toEqual(["runs", "Stopping; cleaning up …", "cleaned up", "interrupted"]);
});
