/** A part of what MariaDB's `ANALYZE FORMAT=JSON` gives (https://mariadb.com/kb/en/analyze-format-json/). */
interface MariadbTable {
  table_name: string;
  access_type?: string;
  key?: string;
  r_loops?: number;
  r_rows?: number | null;
}

/** Which tables MariaDB reads, how, and how many rows of each; and what it sorts, keeps aside and repeats. */
export function mariadbPlan(node: unknown): string[] {
  if (typeof node !== "object" || node === null) {
    return [];
  }
  return Object.entries(node).flatMap(([name, value]) => {
    if (name === "table" && "table_name" in value) {
      return [describeTable(value as MariadbTable), ...mariadbPlan(value)];
    }
    const step = steps[name];
    return [...(step === undefined ? [] : [step]), ...mariadbPlan(value)];
  });
}

const steps: Record<string, string> = {
  filesort: "sorts",
  temporary_table: "keeps a temporary table",
  recursive_union: "repeats with what it has found, until there is nothing new:",
};

function describeTable({ table_name, access_type, key, r_loops, r_rows }: MariadbTable): string {
  const how = access_type === "ALL" ? "whole" : [access_type, key].filter(Boolean).join(" ");
  // A row of which there can be only one is read while the plan is made, and isn't counted.
  const rows = access_type === "const" ? "1 row" : `${round(r_rows ?? 0)} rows`;
  return `${table_name}: ${how}, ${(r_loops ?? 1) > 1 ? `${r_loops} × ${rows}` : rows}`;
}

/** A part of what Neo4j's `PROFILE` gives. */
export interface Neo4jProfile {
  operatorType: string;
  arguments: Record<string, unknown>;
  dbHits: number;
  rows: number;
  children: Neo4jProfile[];
}

/** The operators that read from the store, first ones first, each with its rows and accesses. */
export function neo4jPlan(profile: Neo4jProfile): string[] {
  const { operatorType, arguments: details, dbHits, rows, children } = profile;
  const own = `${operatorType.replace("@neo4j", "")} ${details.Details ?? ""}: ${rows} rows, ${dbHits} accesses`;
  return [...children.flatMap(neo4jPlan), ...(dbHits > 0 ? [own] : [])];
}

/** A part of what `explain` gives: of FerretDB on SQLite, or of a mongod. */
export interface MongodbExplanation {
  queryPlanner: { Plan?: string[]; winningPlan?: MongodbStage & { queryPlan?: MongodbStage } };
  filterPushdown?: boolean;
}

interface MongodbStage {
  stage?: string;
  indexName?: string;
  inputStage?: MongodbStage;
}

/** Which stages a mongod goes through, or what FerretDB leaves to SQLite. */
export function mongodbPlan({ queryPlanner, filterPushdown }: MongodbExplanation): string[] {
  const { Plan, winningPlan } = queryPlanner;
  if (Plan) {
    // FerretDB explains its query to SQLite without the filter, whatever it then sends.
    return [
      filterPushdown
        ? "SQLite looks the _id up by its index"
        : "SQLite reads every document, FerretDB filters",
    ];
  }
  const stages: string[] = [];
  for (let stage = winningPlan?.queryPlan ?? winningPlan; stage; stage = stage.inputStage) {
    stages.unshift([stage.stage, stage.indexName].filter(Boolean).join(" "));
  }
  return stages;
}

/** What Cassandra read, from the events of a trace; the events of its own tables of roles are left out. */
export function cassandraPlan(activities: string[]): string[] {
  const executions = activities.flatMap((activity, index) =>
    /^Executing (single-partition query|seq scan)/.test(activity) ? [index] : [],
  );
  const last = executions.at(-1) ?? 0;
  return activities
    .slice(last)
    .filter((activity) => /^(Executing|Read \d+ live)/.test(activity))
    .map((activity) => activity.replace(/ for \(min.*$/, ""));
}

function round(rows: number): number {
  return Math.round(rows * 10) / 10;
}
