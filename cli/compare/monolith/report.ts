import { seconds, table } from "../../output.ts";
import type { Deployment, Interruption, MonolithComparison, Side } from "./compare.ts";

/** The notes' table of the two, each line beside what was measured. */
export function describeMonolith({ service, monolith, microservices }: MonolithComparison): string {
  const rows = [
    ["Structure", "Single, large codebase", "Many small independent services", structure],
    [
      "Deployment",
      "Entire app redeployed for one small change",
      "Deploy each service separately",
      ({ deployment }: Side) => exchange(deployment),
    ],
    ["Scaling", "Scale the whole app", "Scale only the service that needs it", scaling],
    ["Technology", "One tech stack for everything", "Each service can use different tech", technology],
    [
      "A crash",
      "everything stops",
      "if one service crashes, others keep running",
      ({ crash }: Side) => interruption(crash),
    ],
  ] as const;
  const lines = rows.flatMap(([feature, ofMonolith, ofServices, measured]) => [
    [feature, "Monolithic", ofMonolith, measured(monolith)],
    ["", "Microservices", ofServices, measured(microservices)],
  ]);
  return [
    table(["feature", "", "the notes", "measured"], lines),
    "",
    `Changed, killed and scaled: the monolith, and of the services ${service}. Of either Nomad starts the new version before it`,
    "ends the old one, as `./lab up` has it do.",
  ].join("\n");
}

function structure({ processes }: Side): string {
  const all = Object.values(processes);
  const sizes = all.map(({ bundleBytes }) => bundleBytes);
  const memory = all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  return `${counted(all.length, "process", "processes")}, ${mebibytes(memory)} together; bundles of ${range(sizes)}`;
}

function technology({ processes }: Side): string {
  const most = Object.entries(processes).toSorted(
    ([, one], [, other]) => other.connectedTo.length - one.connectedTo.length,
  )[0];
  return most
    ? `a process is connected to ${most[1].connectedTo.length} servers at most (${most[0]}: ${most[1].connectedTo.join(", ")})`
    : "";
}

function scaling({ scaling: { memoryBytes, readyAfterMs } }: Side): string {
  return `one more takes ${mebibytes(memoryBytes)}, and is ready after ${seconds(readyAfterMs)}`;
}

function exchange({ parts, bundleBytes, ...rest }: Deployment): string {
  return `${counted(parts.length, "part", "parts")} exchanged, ${mebibytes(bundleBytes)}; ${interruption(rest)}`;
}

function interruption({ readyAfterMs, routes }: Interruption): string {
  const all = Object.entries(routes);
  const away = all.filter(([, { failed }]) => failed > 0);
  const longest = Math.max(0, ...away.map(([, { outageMs }]) => outageMs));
  const names = away.length < all.length ? away.map(([name]) => name) : [];
  return [
    `${away.length} of ${all.length} parts of the shop away`,
    ...(names.length > 0 ? [` (${names.join(", ")})`] : []),
    ...(away.length > 0 ? [`, for up to ${seconds(longest)}`] : []),
    `; ready after ${seconds(readyAfterMs)}`,
  ].join("");
}

function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

function range(bytes: number[]): string {
  const [least, most] = [Math.min(...bytes), Math.max(...bytes)];
  return least === most ? mebibytes(least) : `${mebibytes(least)} to ${mebibytes(most)}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
