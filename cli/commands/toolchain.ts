import { Command } from "commander";
import { toolRecords, tools } from "../../toolchain/tools.ts";
import { LabError } from "../errors.ts";
import { printResult, table } from "../output.ts";
import { installMissingTools } from "../tool-progress.ts";
import { wantsJson } from "./options.ts";

export function toolchainCommand(): Command {
  return new Command("toolchain")
    .description("the servers and tools that the lab runs")
    .addCommand(list())
    .addCommand(install());
}

function list(): Command {
  return new Command("list")
    .description("show each tool, its licence, and where it came from")
    .option("--json", "print it as JSON")
    .action(async (_options, command: Command) => {
      const records = new Map((await toolRecords()).map((record) => [record.name, record]));
      const rows = tools.map(({ name, version, purpose, licence, recipe, optional }) => {
        const record = records.get(name);
        return {
          name,
          version: (record?.source === "registry" && recipe?.standsIn) || version,
          purpose,
          licence: record?.licence ?? licence,
          source: record?.source ?? (optional ? "optional" : "missing"),
          where: record?.where,
        };
      });
      printResult(wantsJson(command), rows, () =>
        table(
          ["tool", "version", "source", "licence", "where"],
          rows.map(({ name, version, source, licence, where }) => [name, version, source, licence, where]),
        ),
      );
    });
}

function install(): Command {
  return new Command("install")
    .description("install what is missing: from PATH, its publisher, or the package registries")
    .argument("[tools...]", "only these")
    .option("--all", "the optional ones too, which proxies are compared with")
    .option("--keep-caches", "keep the caches of the builds (up to 11 GB)")
    .action(async (names: string[], { all, keepCaches }: { all?: boolean; keepCaches?: boolean }) => {
      const unknown = names.find((name) => !tools.some((tool) => tool.name === name));
      if (unknown) {
        throw new LabError(
          "usage",
          "no-such-tool",
          `There is no tool ${unknown}.`,
          `The tools: ${tools.map(({ name }) => name).join(", ")}.`,
        );
      }
      const every = tools.map(({ name }) => name);
      const named = names.length > 0 ? every.filter((name) => names.includes(name)) : undefined;
      await installMissingTools({ names: all ? every : named, keepCaches });
    });
}
