import ansis from "ansis";
import { size } from "../../machine.ts";
import { table } from "../../output.ts";
import type { StoreName } from "../../outputs.ts";
import type { Result } from "./question.ts";
import type { Answered, StorageReport } from "./storage.ts";
import { inMs, short } from "./words.ts";

/** The report for a terminal. */
export function describe(report: StorageReport): string {
  return [
    ...report.questions.map((answered) =>
      [
        ansis.bold(`${headingOf(answered)}: ${answered.text}`),
        ...answered.results.flatMap((result) => [
          `  ${ansis.bold(result.name)}`,
          ...indented(result.statement, "    "),
          ...(result.refused === undefined
            ? [`    = ${short(result.answer)}`, ...result.plan.map((line) => ansis.dim(`    · ${line}`))]
            : [`    refused: ${result.refused}`]),
        ]),
        timesTable(answered.results),
        answered.lesson,
      ].join("\n"),
    ),
    conditions(report).join("\n"),
  ].join("\n\n");
}

/** Of the fences. `js` would be taken for JavaScript, and formatted as such. */
const languages: Record<StoreName, string> = {
  mysql: "sql",
  mongodb: "mongodb",
  cassandra: "cql",
  redis: "redis",
  neo4j: "cypher",
};

/** The report as the part of `docs/storage-models.md` that is measured. */
export function markdown(report: StorageReport): string {
  return [
    ...conditions(report),
    ...report.questions.flatMap((answered) => [
      `### ${headingOf(answered)}: ${lowerFirst(answered.text)}`,
      ...answered.results.flatMap((result) => [
        `**${result.name}**${result.refused === undefined ? "" : ` refuses: ${result.refused}`}`,
        `\`\`\`${languages[result.store]}\n${result.statement}\n\`\`\``,
        ...(result.plan.length > 0 ? [result.plan.map((line) => `- \`${line}\``).join("\n")] : []),
      ]),
      `Answer: \`${short(answered.results.find(({ answer }) => answer !== undefined)?.answer)}\``,
      markdownTable(answered.results),
      answered.lesson,
    ]),
  ].join("\n\n");
}

/** What the figures depend on. */
function conditions({ machine, servers, rows }: StorageReport): string[] {
  return [
    `Measured on ${machine.cpu}, ${machine.cores} cores, ${size(machine.memoryBytes)} of memory, Node.js ${machine.node}, all servers and the client on this machine: ` +
      `${Object.values(servers)
        .map(({ name, version }) => [name, version].filter(Boolean).join(" "))
        .join(", ")}.`,
    `Data: ${Object.entries(rows)
      .map(([name, count]) => `${count} ${words(name)}`)
      .join(", ")}.`,
  ];
}

function headingOf({ model, side }: Answered): string {
  const name = `${model[0]?.toUpperCase()}${model.slice(1)}`;
  return side === "best" ? `${name}, at its best` : `${name}, badly`;
}

const columns = ["", "median", "middle half", "runs", "requests"];

function timesTable(results: Result[]): string {
  return table(columns, cells(results));
}

function markdownTable(results: Result[]): string {
  return [columns, columns.map(() => "---"), ...cells(results)]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");
}

function cells(results: Result[]): string[][] {
  return results.map(({ name, refused, medianMs, quartilesMs, runs, requests }) =>
    refused === undefined
      ? [name, inMs(medianMs), quartilesMs.map(inMs).join(" – "), String(runs), String(requests)]
      : [name, "refused", "", "", ""],
  );
}

function indented(text: string, margin: string): string[] {
  return text.split("\n").map((line) => margin + line);
}

function lowerFirst(text: string): string {
  return `${text[0]?.toLowerCase()}${text.slice(1)}`;
}

/** `orderLines` as `order lines`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
