import { expect, test } from "vitest";
import { variableFile } from "./hcl.ts";

test("one assignment a line", () => {
  expect(variableFile({ port: "18000", name: "web" })).toBe('port = "18000"\nname = "web"\n');
  expect(variableFile({})).toBe("");
});

test("quotes, backslashes and line ends are escaped", () => {
  expect(variableFile({ a: 'say "hi"\\\n\r\t' })).toBe('a = "say \\"hi\\"\\\\\\n\\r\\t"\n');
});

test("what looks like interpolation stays text; other dollars and percents are left alone", () => {
  expect(variableFile({ a: "${env.HOME} %{if} $5 100% $${x}" })).toBe(
    'a = "$${env.HOME} %%{if} $5 100% $$${x}"\n',
  );
});
