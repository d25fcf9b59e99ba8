import type { RegisteredJob } from "./nomad-jobs.ts";

/** Nomad exchanges the instances of a job of which anything changes that their tasks can see, as this. */
const mark = "changed-by-lab-compare";

/**
 * A job with a small change, of the kind that Nomad exchanges its instances for: a new one is started, and the old one ends once
 * it is healthy. A job that has no instance otherwise has one, and is exchanged likewise.
 *
 * @param what tells this change from others
 */
export function changed({ specification }: RegisteredJob, what: string): RegisteredJob {
  return {
    specification: {
      ...specification,
      Meta: { ...specification.Meta, [mark]: what },
      TaskGroups: specification.TaskGroups.map((group) => ({
        ...group,
        Count: Math.max(1, group.Count),
        Update: { ...group.Update, Canary: 1, AutoPromote: true },
      })),
    },
    // That of another specification would be wrong.
    submission: undefined,
  };
}

/** A job without the change that a comparison that was killed has left in it. */
export function unchanged({ specification, submission }: RegisteredJob): RegisteredJob {
  const { [mark]: _left, ...meta } = specification.Meta ?? {};
  return {
    specification: { ...specification, Meta: Object.keys(meta).length > 0 ? meta : null },
    submission,
  };
}
