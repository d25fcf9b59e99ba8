import type { Endpoint } from "./endpoint.ts";

/** What is known of a list. */
export interface SourceStatus {
  /** Whether the registry has answered at all. */
  isKnown: boolean;
  /** Whether its last answer came; without it the list is the last known one. */
  isCurrent: boolean;
  /** Why it isn't current. */
  error?: string;
  /** When the list changed last, in milliseconds since 1970. */
  changedAtMs?: number;
}

/** Where a list of endpoints comes from: `ServiceWatch` asks Consul's API, `SrvWatch` the DNS. */
export interface EndpointSource {
  /** The last known list, sorted by id. */
  readonly endpoints: readonly Endpoint[];
  readonly status: SourceStatus;
  /** Resolves when the registry has answered for the first time. */
  readonly firstAnswer: Promise<void>;
  /**
   * Told of each change of the list from now on.
   *
   * @returns ends the subscription
   */
  subscribe(listener: (endpoints: readonly Endpoint[]) => void): () => void;
  close(): Promise<void>;
}

/** Who wants to be told, beside those who subscribe. */
export interface WatchCallbacks {
  /** The list has changed. */
  onChange?(endpoints: readonly Endpoint[]): void;
  /** The registry can't be asked; the last list stays in use. */
  onError?(error: Error): void;
}

/** How long after a registry was away nothing is let go: longer than any check's interval. */
const holdMs = 30_000;

/**
 * Keeps what a registry answers, and the last list while it doesn't. One that is back may not know what lives: soon after its
 * start an agent of Consul calls everything critical until it has checked it. So what is new is taken at once, and what is
 * missing is let go only after a while.
 */
export abstract class WatchedList implements EndpointSource {
  readonly #callbacks: WatchCallbacks;
  readonly #listeners = new Set<(endpoints: readonly Endpoint[]) => void>();
  readonly #firstAnswer = Promise.withResolvers<void>();
  #endpoints: readonly Endpoint[] = [];
  #status: SourceStatus = { isKnown: false, isCurrent: false };
  #holdsUntilMs = 0;

  constructor(callbacks: WatchCallbacks = {}) {
    this.#callbacks = callbacks;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  get status(): SourceStatus {
    return this.#status;
  }

  get firstAnswer(): Promise<void> {
    return this.#firstAnswer.promise;
  }

  subscribe(listener: (endpoints: readonly Endpoint[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  /**
   * Takes an answer.
   *
   * @returns whether the list is another one now
   */
  protected replace(endpoints: readonly Endpoint[]): boolean {
    const all = [...endpoints, ...this.#held(endpoints)];
    const sorted = all.sort((one, other) => (one.id < other.id ? -1 : 1));
    const isChanged = JSON.stringify(sorted) !== JSON.stringify(this.#endpoints);
    const changedAtMs = isChanged ? Date.now() : this.#status.changedAtMs;
    this.#status = { isKnown: true, isCurrent: true, ...(changedAtMs !== undefined && { changedAtMs }) };
    if (isChanged) {
      this.#endpoints = sorted;
      this.#callbacks.onChange?.(sorted);
      for (const listener of this.#listeners) {
        listener(sorted);
      }
    }
    this.#firstAnswer.resolve();
    return isChanged;
  }

  /** Whether the list may have instances that the registry doesn't name. */
  protected get isHolding(): boolean {
    return performance.now() < this.#holdsUntilMs;
  }

  #held(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const { isKnown, isCurrent } = this.#status;
    if (isKnown && !isCurrent) {
      this.#holdsUntilMs = performance.now() + holdMs;
    }
    const named = new Set(endpoints.map(({ id }) => id));
    return this.isHolding ? this.#endpoints.filter(({ id }) => !named.has(id)) : [];
  }

  /** Notes that there is no answer. */
  protected fail(error: Error): void {
    this.#status = { ...this.#status, isCurrent: false, error: error.message };
    this.#callbacks.onError?.(error);
  }
}

/** A list that somebody sets, such as a fixed one. */
export class ListSource extends WatchedList {
  constructor(endpoints: readonly Endpoint[]) {
    super();
    this.replace(endpoints);
  }

  override replace(endpoints: readonly Endpoint[]): boolean {
    return super.replace(endpoints);
  }
}
