import { expect, test } from "vitest";
import { type Changes, count, progressOf } from "./up.ts";

test.each([
  [" +  nomad:index:Job artifacts created (3s) 1 of 1 healthy", "Job artifacts created (3s)"],
  [" ~  host:index:Process consul updated (2s) [diff: ~pid]", "Process consul updated (2s)"],
  [" -  consul:index:AclToken nomad-agent deleted (0.04s) ", "AclToken nomad-agent deleted (0.04s)"],
  [" +  nomad:index:Job mysql creating (0s) 0 of 1 healthy", undefined],
  [" +  lab:data:Mysql mysql created", undefined],
  ["Duration: 34s", undefined],
])("%j", (line, progress) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours, where there is a terminal
  expect(progressOf(line)?.replaceAll(/\u001b\[\d+m/g, "")).toBe(progress);
});

test("the summary's counts", () => {
  const changes: Changes = { created: 0, updated: 0, deleted: 0, unchanged: 0 };
  for (const line of [
    "Resources:",
    "    + 12 created",
    "    ~ 2 updated",
    "    +-1 replaced",
    "    15 changes. 103 unchanged",
    "",
  ]) {
    count(line, changes);
  }
  expect(changes).toEqual({ created: 12, updated: 3, deleted: 0, unchanged: 103 });
});
