import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ansis from "ansis";
import { Command } from "commander";
import { execa } from "execa";
import { foldersOf } from "../../infra/folders.ts";
import { exitCodes } from "../errors.ts";
import { say } from "../output.ts";
import { installMissingTools } from "../tool-progress.ts";

interface Tally {
  passed: number;
  failed: number;
}

/** A part of the tests. */
interface Part {
  name: string;
  /** Servers that it starts must be installed first. */
  needsTools?: boolean;
  run(filters: string[]): Promise<Tally>;
}

const root = foldersOf("dev").root;

/** From the quickest to the slowest, so that a mistake shows early. */
const parts: Part[] = [
  { name: "static", run: staticChecks },
  { name: "unit", run: (filters) => vitest("unit", filters) },
  { name: "integration", needsTools: true, run: (filters) => vitest("integration", filters) },
  { name: "e2e", needsTools: true, run: (filters) => vitest("e2e", filters) },
];

export function testCommand(): Command {
  const command = new Command("test")
    .description("format, lint and types; unit, integration and end-to-end tests on real servers")
    .argument("[files...]", "only test files whose path holds one of these");
  for (const { name } of parts) {
    command.option(`--${name}`, `only this part (${descriptions[name]}), or several`);
  }
  return command.action(async (filters: string[], options: Record<string, boolean>) => {
    const chosen = parts.filter(({ name }) => options[name]);
    const total: Tally = { passed: 0, failed: 0 };
    let hasTools = false;
    for (const part of chosen.length > 0 ? chosen : parts) {
      if (part.needsTools && !hasTools) {
        await installMissingTools();
        hasTools = true;
      }
      say(ansis.bold(`— ${part.name}: ${descriptions[part.name]}`));
      const { passed, failed } = await part.run(filters);
      total.passed += passed;
      total.failed += failed;
    }
    process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
    process.exitCode = total.failed > 0 || total.passed === 0 ? exitCodes.failed : exitCodes.ok;
  });
}

const descriptions: Record<string, string> = {
  static: "format, lint, unused code, types",
  unit: "without servers",
  integration: "one real server or two",
  e2e: "a throw-away environment of its own",
};

async function staticChecks(): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0 };
  for (const [tool, ...args] of [
    ["biome", "ci", "--log-level=warn"],
    ["knip", "--no-progress"],
    ["tsc", "--noEmit"],
  ] as const) {
    const { exitCode } = await run(tool, args);
    say(`  ${exitCode === 0 ? ansis.green("✓") : ansis.red("✗")} ${tool} ${args.join(" ")}`);
    tally[exitCode === 0 ? "passed" : "failed"]++;
  }
  return tally;
}

async function vitest(project: string, filters: string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "lab-test-"));
  const report = join(folder, "report.json");
  try {
    const { exitCode } = await run("vitest", [
      "run",
      `--project=${project}`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...(filters.length > 0 ? ["--passWithNoTests"] : []),
      ...filters,
    ]);
    const {
      numPassedTests: passed,
      numFailedTests,
      numFailedTestSuites,
    } = JSON.parse(await readFile(report, "utf8"));
    // A file that can't even be loaded has no failed test in it.
    const failed = Math.max(numFailedTests, Math.min(numFailedTestSuites, 1), exitCode === 0 ? 0 : 1);
    return { passed, failed };
  } catch (error) {
    say(`vitest gave no report: ${(error as Error).message}`);
    return { passed: 0, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(tool: string, args: readonly string[]) {
  return execa(process.execPath, [join(root, "node_modules", ".bin", tool), ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    reject: false,
  });
}
