/** What a store answers: rows of named columns, or one value. */
export type Answer = { columns: string[]; rows: Array<Record<string, unknown>> } | { value: unknown };

/** A connection to a store. */
export interface Session {
  /** Runs a statement in the store's own language. Values are plain JSON. */
  run(statement: string): Promise<Answer>;
  close(): Promise<void>;
}

/** A statement that the lab itself can't read. */
export class StatementError extends Error {
  override name = "StatementError";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** How long a store may take to let someone in. */
export const connectWithinMs = 5000;
