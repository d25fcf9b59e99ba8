import { errors, types } from "cassandra-driver";

const { unavailableException, overloaded, isBootstrapping, writeTimeout, readTimeout, truncateError } =
  types.responseErrorCodes;
const codes: unknown[] = [
  unavailableException,
  overloaded,
  isBootstrapping,
  writeTimeout,
  readTimeout,
  truncateError,
];

/** Before the migration; reads, writes and batches say it in different words. */
const isNotThereYet = /unconfigured table|(table|keyspace) \S+ does not exist/i;

/** Whether an error means that Cassandra can't be reached, or has no tables yet, so that the same may go well a moment later. */
export function isCassandraAway(error: unknown): boolean {
  if (error instanceof errors.ResponseError) {
    return codes.includes(error.code) || isNotThereYet.test(error.message);
  }
  return (
    error instanceof errors.NoHostAvailableError ||
    error instanceof errors.OperationTimedOutError ||
    error instanceof errors.BusyConnectionError ||
    isSocketError(error)
  );
}

/** The connection of a request that was under way has ended: the driver marks the error, which is of no class of its own. */
function isSocketError(error: unknown): boolean {
  return error instanceof Error && "isSocketError" in error && error.isSocketError === true;
}
