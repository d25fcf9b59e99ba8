import type { IncomingMessage } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { Problem } from "@lab/service-kit";
import type { MiddlewareHandler } from "hono";
import { plainAddress } from "./client-address.ts";

/** For what only this machine may see: neither others nor those for whom a proxy on this machine asks. */
export const localOnly: MiddlewareHandler = async (c, next) => {
  const { incoming } = c.env as unknown as HttpBindings;
  if (!isLocal(incoming as IncomingMessage)) {
    throw new Problem(403, "This is for the machine itself only.");
  }
  await next();
};

function isLocal({ socket, headers }: IncomingMessage): boolean {
  const peer = plainAddress(socket.remoteAddress ?? "");
  const isForwarded = headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined;
  return !isForwarded && (peer === "::1" || peer.startsWith("127."));
}
