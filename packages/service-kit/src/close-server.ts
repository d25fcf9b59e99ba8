import type { Server } from "node:http";

/** Below the 15 s (`kill_timeout`) after which Nomad kills a service, so that it can still close what it holds. */
const defaultGraceMs = 10_000;

/**
 * Takes no new connection, closes idle ones, and the others after their answer (`connection: close`). What is open after the
 * grace is cut off: Node counts a connection as busy that has sent nothing yet, or half a request, and `close()` ends its own
 * watch over those.
 */
export async function closeServer(server: Server, graceMs = defaultGraceMs): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(timer);
}
