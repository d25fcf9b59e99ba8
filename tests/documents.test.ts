import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { longCommands, namedFiles, tableCommands, testedCommands } from "./support/documents.ts";

const root = resolve(import.meta.dirname, "..");
/** Those that say where in the checkout something is. */
const guides = ["README.md", "docs/architecture.md", "docs/storage-models.md", "docs/concepts.md"];
const documents = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`),
];

test.each(guides)("%s names only files that are there", (document) => {
  const missing = namedFiles(read(document)).filter((file) => !existsSync(join(root, file)));
  expect(missing).toEqual([]);
});

test("the commands of the documents that take minutes are there, with the options that they are shown with", async () => {
  const commands = [...new Set(documents.flatMap((document) => longCommands(read(document))))];
  expect(commands.length).toBeGreaterThan(2);
  for (const command of commands) {
    const [, ...words] = command.split(" ");
    const options = words.filter((word) => word.startsWith("--"));
    const names = words.slice(0, words.findIndex((word) => !/^[a-z]/.test(word)) >>> 0);
    const { stdout } = await execa(process.execPath, ["cli/main.ts", ...names, "--help"], { cwd: root });
    // Of a command that isn't there, the one above it would give its help.
    expect(stdout, command).toMatch(new RegExp(`^Usage: lab ${names.join(" ")}( |$)`, "m"));
    for (const option of options) {
      expect(stdout, command).toContain(option);
    }
  }
  // A process for each.
}, 120_000);

test("README.md has every command in its table", async () => {
  const { stdout } = await execa(process.execPath, ["cli/main.ts", "--help"], { cwd: root });
  const names = [...stdout.matchAll(/^ {2}([a-z]+) .* {2}\S/gm)].map(([, name]) => name as string);
  expect(names).toContain("up");
  const readme = read("README.md");
  const missing = names.filter((name) => name !== "help" && !readme.includes(`| \`./lab ${name}`));
  expect(missing).toEqual([]);
});

test("the tables of the concepts hold commands, and those in code blocks are read apart", () => {
  const markdown = [
    "| left alone | `./lab destroy` | |",
    "",
    "<!-- tested -->",
    "| stored | `./lab query redis PING` | `cli/query/redis.ts` |",
    "| raced  | `./lab compare sync-async` ⏱ | `.lab/passphrase` |",
    "",
    "<!-- tested -->",
    "```sh",
    "./lab seed   # => requests",
    "```",
  ].join("\n");
  expect(tableCommands(markdown)).toEqual(["./lab query redis PING"]);
  expect(longCommands(markdown)).toEqual(["./lab compare sync-async"]);
  expect(testedCommands(markdown)).toEqual([{ command: "./lab seed", prints: "requests" }]);
  expect(namedFiles(markdown)).toEqual(["cli/query/redis.ts"]);
});

function read(document: string): string {
  return readFileSync(join(root, document), "utf8");
}
