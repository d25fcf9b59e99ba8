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

/** A list that somebody sets: what a watch keeps its answers in, or a fixed list. */
export class ListSource implements EndpointSource {
  readonly #listeners = new Set<(endpoints: readonly Endpoint[]) => void>();
  readonly #firstAnswer = Promise.withResolvers<void>();
  #endpoints: readonly Endpoint[] = [];
  #status: SourceStatus = { isKnown: false, isCurrent: false };

  constructor(endpoints?: readonly Endpoint[]) {
    if (endpoints) {
      this.replace(endpoints);
    }
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

  /**
   * Takes an answer.
   *
   * @returns whether the list is another one now
   */
  replace(endpoints: readonly Endpoint[]): boolean {
    const sorted = endpoints.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const isChanged = JSON.stringify(sorted) !== JSON.stringify(this.#endpoints);
    const changedAtMs = isChanged ? Date.now() : this.#status.changedAtMs;
    this.#status = { isKnown: true, isCurrent: true, ...(changedAtMs !== undefined && { changedAtMs }) };
    if (isChanged) {
      this.#endpoints = sorted;
      for (const listener of this.#listeners) {
        listener(sorted);
      }
    }
    this.#firstAnswer.resolve();
    return isChanged;
  }

  /** Notes that the registry can't be asked; the list stays. */
  fail(error: Error): void {
    this.#status = { ...this.#status, isCurrent: false, error: error.message };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}
