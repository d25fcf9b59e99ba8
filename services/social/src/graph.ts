import neo4j, { type Driver, isRetryableError, Neo4jError, type RecordShape } from "neo4j-driver";

/** A question that took longer than a caller is to wait. */
class GraphTimeoutError extends Error {
  override name = "GraphTimeoutError";
}

const timeoutMs = 5000;

/** https://neo4j.com/docs/status-codes/current/errors/all-errors/ */
const timedOut = "Neo.ClientError.Transaction.TransactionTimedOut";

/** The graph, as questions to it. Values go beside the text of a question, so that nobody's name is ever read as Cypher. */
export class Graph {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /**
   * Asks in a transaction of its own, which is tried again when another one was in the way.
   *
   * @param parameters whole numbers become Cypher's integers, which JavaScript has not
   */
  async ask<T extends RecordShape>(cypher: string, parameters: Record<string, unknown> = {}): Promise<T[]> {
    const question = this.#driver.executeQuery(cypher, integers(parameters), {
      database: "neo4j",
      // Ends it in the server as well, for which nobody waits any more.
      transactionConfig: { timeout: timeoutMs },
    });
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new GraphTimeoutError(`No answer within ${timeoutMs} ms.`)), timeoutMs);
    });
    try {
      const { records } = await Promise.race([question, tooLate]);
      return records.map((record) => record.toObject() as T);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Whether an error means that Neo4j can't be reached, so that the same may go well a moment later. */
export function isNeo4jAway(error: unknown): boolean {
  return (
    error instanceof GraphTimeoutError ||
    isRetryableError(error as Error) ||
    (error instanceof Neo4jError && error.code.startsWith(timedOut)) ||
    (error instanceof Neo4jError && error.message.startsWith("Connection acquisition timed out"))
  );
}

function integers(parameters: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      Number.isSafeInteger(value) ? neo4j.int(value as number) : value,
    ]),
  );
}
