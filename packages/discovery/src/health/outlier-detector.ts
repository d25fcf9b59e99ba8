import type { PassiveHealth } from "../policy.ts";

/** What is known of an instance from the requests that ran on it. */
export class OutlierRecord {
  failuresInARow = 0;
  /** Successes that it still owes since its last ejection; until then one failure ejects it again. */
  owedSuccesses = 0;
  ejections = 0;
  /** Ejections that followed one another; a healthy while takes some back. */
  ejectionsInARow = 0;
  /** 0 when it isn't ejected. */
  ejectedUntilMs = 0;
  /** When its last ejection ended. */
  returnedAtMs = Number.NEGATIVE_INFINITY;
}

/** For so many base ejection times without an ejection one of those in a row is forgotten. */
const forgivingFactor = 2;

/**
 * Ejects instances after failures in a row, and takes them back later. After Envoy's outlier detection
 * (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier), except that an ejection's time doubles with
 * each one in a row, and that an instance which is back is on probation.
 */
export class OutlierDetector<R extends OutlierRecord> {
  #settings: PassiveHealth;
  #listed = 0;
  #ejected: R[] = [];
  #nextReturnMs = Number.POSITIVE_INFINITY;

  constructor(settings: PassiveHealth) {
    this.#settings = settings;
  }

  get ejected(): readonly R[] {
    return this.#ejected;
  }

  /** When the next ejection ends. */
  get nextReturnMs(): number {
    return this.#nextReturnMs;
  }

  configure(settings: PassiveHealth): void {
    this.#settings = settings;
  }

  /**
   * Takes the number of all instances, after `forget` of those that are gone.
   *
   * @returns those that return since too large a share would be ejected: those whose time would be over first
   */
  list(listed: number, nowMs: number): R[] {
    this.#listed = listed;
    const excess = this.#ejected.length - this.#maxEjected;
    if (excess <= 0) {
      return [];
    }
    const soonest = this.#ejected.toSorted((one, other) => one.ejectedUntilMs - other.ejectedUntilMs);
    return this.#return(soonest.slice(0, excess), nowMs);
  }

  /** Lets go of an instance that is gone. */
  forget(record: R): void {
    this.#ejected = this.#ejected.filter((other) => other !== record);
    this.#findNextReturn();
  }

  /**
   * Notes the outcome of a request.
   *
   * @param startedMs a request that began before its instance was ejected says nothing about the time since
   * @returns whether the instance is ejected by it
   */
  note(record: R, isFailure: boolean, startedMs: number, nowMs: number): boolean {
    if (record.ejectedUntilMs !== 0 || startedMs < record.returnedAtMs) {
      return false;
    }
    if (!isFailure) {
      record.failuresInARow = 0;
      record.owedSuccesses = Math.max(0, record.owedSuccesses - 1);
      return false;
    }
    record.failuresInARow += 1;
    const isTooMany = record.owedSuccesses > 0 || record.failuresInARow >= this.#settings.consecutiveFailures;
    if (!isTooMany || this.#ejected.length >= this.#maxEjected) {
      return false;
    }
    this.#eject(record, nowMs);
    return true;
  }

  /** Takes back those whose time is over. */
  returnDue(nowMs: number): R[] {
    return this.#return(
      this.#ejected.filter(({ ejectedUntilMs }) => ejectedUntilMs <= nowMs),
      nowMs,
    );
  }

  /** Takes one back before its time, if it is ejected. */
  pardon(record: R, nowMs: number): R[] {
    return record.ejectedUntilMs === 0 ? [] : this.#return([record], nowMs);
  }

  get #maxEjected(): number {
    return Math.floor(this.#settings.maxEjectedShare * this.#listed);
  }

  #eject(record: R, nowMs: number): void {
    const { baseEjectionMs, maxEjectionMs } = this.#settings;
    const forgiven = Math.floor((nowMs - record.returnedAtMs) / (forgivingFactor * baseEjectionMs));
    record.ejectionsInARow = Math.max(0, record.ejectionsInARow - forgiven) + 1;
    record.ejections += 1;
    record.ejectedUntilMs =
      nowMs + Math.min(maxEjectionMs, baseEjectionMs * 2 ** (record.ejectionsInARow - 1));
    this.#ejected.push(record);
    this.#nextReturnMs = Math.min(this.#nextReturnMs, record.ejectedUntilMs);
  }

  #return(records: R[], nowMs: number): R[] {
    for (const record of records) {
      record.ejectedUntilMs = 0;
      record.returnedAtMs = nowMs;
      record.failuresInARow = 0;
      record.owedSuccesses = this.#settings.consecutiveFailures;
    }
    this.#ejected = this.#ejected.filter(({ ejectedUntilMs }) => ejectedUntilMs !== 0);
    this.#findNextReturn();
    return records;
  }

  #findNextReturn(): void {
    this.#nextReturnMs = this.#ejected.reduce(
      (next, { ejectedUntilMs }) => Math.min(next, ejectedUntilMs),
      Number.POSITIVE_INFINITY,
    );
  }
}
