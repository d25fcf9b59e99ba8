import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const program = `
  import ansis from "ansis";
  import { print, say } from "./output.ts";
  print(ansis.red("a result"));
  say(ansis.red("progress"));
`;

/** What the program writes into pipes. */
function output(env: Record<string, string>) {
  return execa(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: join(import.meta.dirname),
    env: { FORCE_COLOR: undefined, NO_COLOR: undefined, ...env },
  });
}

test("what is not written to a terminal has no colours, even where a terminal could show them", async () => {
  const { stdout, stderr } = await output({ CI: "1", GITHUB_ACTIONS: "1" });
  expect(stdout).toBe("a result");
  expect(stderr).toBe("progress");
});

test("whoever asks for colours gets them", async () => {
  const { stdout, stderr } = await output({ FORCE_COLOR: "1" });
  expect(stdout).toBe("\u001b[31ma result\u001b[39m");
  expect(stderr).toBe("\u001b[31mprogress\u001b[39m");
});
