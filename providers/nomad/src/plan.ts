import type { Change } from "@lab/provider-base";

/** A field of Nomad's plan (`api.FieldDiff`). */
interface FieldDiff {
  Type: DiffType;
  Name: string;
}

interface ObjectDiff {
  Type: DiffType;
  Name: string;
  Fields?: FieldDiff[] | null;
  Objects?: ObjectDiff[] | null;
}

interface TaskDiff extends ObjectDiff {}

interface TaskGroupDiff extends ObjectDiff {
  Tasks?: TaskDiff[] | null;
}

/** What Nomad would change (`api.JobDiff`). */
export interface JobDiff extends ObjectDiff {
  TaskGroups?: TaskGroupDiff[] | null;
}

type DiffType = "None" | "Added" | "Deleted" | "Edited";

const kinds: Record<Exclude<DiffType, "None">, Change> = {
  Added: "add",
  Deleted: "delete",
  Edited: "update",
};

/** Nomad's plan as property changes that a reader of the job file recognizes: `group.web.task.server.Config.args`. */
export function changesOf(diff: JobDiff): Record<string, Change> {
  const changes: Record<string, Change> = {};
  collect(diff, "", changes);
  for (const group of diff.TaskGroups ?? []) {
    const path = `group${key(group.Name)}`;
    if (!mark(group, path, changes)) {
      collect(group, path, changes);
      for (const task of group.Tasks ?? []) {
        const taskPath = `${path}.task${key(task.Name)}`;
        if (!mark(task, taskPath, changes)) {
          collect(task, taskPath, changes);
        }
      }
    }
  }
  return changes;
}

/** A group or task that comes or goes is one change, not one for each of its fields. */
function mark(object: ObjectDiff, path: string, changes: Record<string, Change>): boolean {
  if (object.Type === "Added" || object.Type === "Deleted") {
    changes[path] = kinds[object.Type];
    return true;
  }
  return false;
}

function collect(object: ObjectDiff, path: string, changes: Record<string, Change>): void {
  for (const field of object.Fields ?? []) {
    if (field.Type !== "None") {
      changes[`${path}${key(field.Name, path === "")}`] = kinds[field.Type];
    }
  }
  for (const inner of object.Objects ?? []) {
    if (inner.Type !== "None") {
      collect(inner, `${path}${key(inner.Name, path === "")}`, changes);
    }
  }
}

function key(name: string, first = false): string {
  return /^\w+$/.test(name) ? `${first ? "" : "."}${name}` : `[${JSON.stringify(name)}]`;
}
