/** A request, and what it came to. Times are milliseconds of `performance.now()`. */
export interface Asked {
  service: string;
  /** Its method and path. */
  what: string;
  /** Whether it may be carried out twice. */
  isRepeatable: boolean;
  atMs: number;
  endMs: number;
  /** 0 when there was no answer, or not all of it. */
  status: number;
  /** What went wrong. */
  why?: string;
}

/** What was done to the instances of a job, and when. */
export interface Happening {
  kind: "stop" | "start" | "kill" | "deploy";
  job: string;
  fromMs: number;
  toMs: number;
  /** The moment of a kill. */
  killedMs?: number;
}

/** What a happening came to for users. */
export interface Toll extends Happening {
  /** Requests that were sent meanwhile. */
  requests: number;
  failed: number;
  /** Failed requests that a kill explains. */
  explained: number;
}

/** Requests that failed because of one kill. */
export interface Explained {
  job: string;
  killedMs: number;
  count: number;
  why: string;
}

export interface Verdict {
  requests: number;
  failed: number;
  /** How many requests had which status; `0` is no answer. */
  statuses: Record<string, number>;
  explained: Explained[];
  unexplained: Asked[];
  /** Requests and failures while nothing happened. */
  calm: { requests: number; failed: number };
  tolls: Toll[];
}

/** A killed process has its sockets until the kernel has taken it apart. */
const graceMs = 250;

const gateway = "gateway";

const explanations = {
  connection: "was under way on a connection to a gateway that was killed",
  repeat: "was under way on an instance that was killed, and must not be carried out twice",
  cut: "had begun to be answered by an instance that was killed",
};

/** Counts what became of the requests, and tells the failures that a kill explains from those that nothing does. */
export function verdictOf(asked: readonly Asked[], happenings: readonly Happening[]): Verdict {
  const failed = asked.filter(isFailed);
  const explained: Explained[] = [];
  const unexplained: Asked[] = [];
  const causes = new Map<Asked, Happening>();
  for (const request of failed) {
    const found = causeOf(request, happenings);
    if (!found) {
      unexplained.push(request);
      continue;
    }
    const { kill, why } = found;
    causes.set(request, kill);
    const known = explained.find((one) => one.killedMs === kill.killedMs && one.why === why);
    if (known) {
      known.count += 1;
    } else {
      explained.push({ job: kill.job, killedMs: kill.killedMs as number, count: 1, why });
    }
  }
  const meanwhile = new Map(happenings.map((happening) => [happening, [] as Asked[]]));
  const calm: Asked[] = [];
  for (const request of asked) {
    const cause = causes.get(request) ?? happenings.find((one) => isDuring(request, one));
    (cause ? meanwhile.get(cause) : calm)?.push(request);
  }
  return {
    requests: asked.length,
    failed: failed.length,
    statuses: statusesOf(asked),
    explained,
    unexplained,
    calm: { requests: calm.length, failed: calm.filter(isFailed).length },
    tolls: happenings.map((happening) => {
      const those = meanwhile.get(happening) ?? [];
      return {
        ...happening,
        requests: those.length,
        failed: those.filter(isFailed).length,
        explained: those.filter((request) => causes.has(request)).length,
      };
    }),
  };
}

/** Users ask only for what they may have, so whatever is refused has failed too. */
function isFailed({ status }: Asked): boolean {
  return status === 0 || status >= 400;
}

function isDuring({ atMs }: Asked, { fromMs, toMs }: Happening): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function causeOf(
  request: Asked,
  happenings: readonly Happening[],
): { kill: Happening; why: string } | undefined {
  for (const kill of happenings) {
    const { killedMs, job } = kill;
    if (killedMs === undefined || request.atMs > killedMs + graceMs || request.endMs < killedMs) {
      continue;
    }
    if (job === gateway && request.status === 0) {
      return { kill, why: explanations.connection };
    }
    if (job === request.service && request.status === 0) {
      return { kill, why: explanations.cut };
    }
    if (job === request.service && request.status === 502 && !request.isRepeatable) {
      return { kill, why: explanations.repeat };
    }
  }
  return undefined;
}

function statusesOf(asked: readonly Asked[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of asked) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}
