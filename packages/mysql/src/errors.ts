/** An error of the driver or the server. */
export type MysqlError = Error & { code?: string; errno?: number; fatal?: boolean };

const awayCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_SEQUENCE_TIMEOUT",
  "ER_CON_COUNT_ERROR",
  "ER_SERVER_SHUTDOWN",
  // Of a service that has been started before its schema or its account is there: the migration comes.
  "ER_NO_SUCH_TABLE",
  "ER_BAD_FIELD_ERROR",
  "ER_BAD_DB_ERROR",
  "ER_ACCESS_DENIED_ERROR",
  "ER_DBACCESS_DENIED_ERROR",
  "ER_TABLEACCESS_DENIED_ERROR",
]);

/** MariaDB's ER_CONNECTION_KILLED, which the driver has no name for. */
const connectionKilled = 1927;

const conflictCodes = new Set(["ER_LOCK_DEADLOCK", "ER_LOCK_WAIT_TIMEOUT"]);

/** Whether MySQL can't be reached, isn't ready, or has too much to do: the same may succeed in a moment. */
export function isMysqlAway(error: unknown): boolean {
  const { code = "", errno, fatal, message } = error as MysqlError;
  return (
    fatal === true ||
    awayCodes.has(code) ||
    errno === connectionKilled ||
    isConflict(error) ||
    // What the driver says of a connection that was lost before the statement, and of too many who wait for one.
    (error instanceof Error && /in closed state|Connection lost|Queue limit reached/.test(message))
  );
}

/** Whether a transaction was undone for another's sake: a deadlock, or a lock that did not come in time. */
export function isConflict(error: unknown): boolean {
  return conflictCodes.has((error as MysqlError).code ?? "");
}

/** Whether a row with the same key is there already. */
export function isDuplicate(error: unknown): boolean {
  return (error as MysqlError).code === "ER_DUP_ENTRY";
}
