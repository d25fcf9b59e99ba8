import { once } from "node:events";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import type { z } from "zod";
import { closeServer } from "./close-server.ts";
import {
  type CommonEnvironment,
  commonEnvironment,
  EnvironmentError,
  type ListenEnvironment,
  listenEnvironment,
  readEnvironment,
} from "./environment.ts";
import { createLogger, type Logger } from "./log.ts";

/** What a service gets to start with. */
export interface Context<E> {
  environment: E & CommonEnvironment;
  log: Logger;
  /** True from SIGTERM on. */
  isStopping(): boolean;
}

/** A started service. */
export interface Running {
  // biome-ignore lint/suspicious/noExplicitAny: any Hono app will do
  app: Hono<any>;
  /** Ends what the service listens to besides, at the same time as the app's own port. */
  drain?(): Promise<void>;
  /** Closes what the service holds, consumers of events first, after its last answer. */
  close(): Promise<void>;
}

export interface Service<S extends z.ZodObject = z.ZodObject> {
  /** The service's own variables. */
  environment: S;
  /** Brings the schema to what the service expects; run as `main.js migrate`, perhaps by several at once. */
  migrate?(context: Context<z.infer<S>>): Promise<void>;
  /** Must not wait for backends: `/readyz` says when they are there. */
  start(context: Context<z.infer<S>>): Promise<Running>;
}

/** A service, for `runService` and for `runTogether`; here the types of its environment are found out. */
export function defineService<S extends z.ZodObject>(service: Service<S>): Service<S> {
  return service;
}

/**
 * Runs a service until SIGTERM or SIGINT, or its migrations when the first argument is `migrate`. An environment that it
 * can't start with ends the process with exit code 1 and a message that names the variables.
 */
export async function runService<S extends z.ZodObject>(service: Service<S>): Promise<void> {
  try {
    const argument = process.argv[2];
    if (argument === undefined) {
      await serve(service);
    } else if (argument === "migrate" && service.migrate) {
      await migrate(service, service.migrate);
    } else {
      throw new EnvironmentError(
        `Unknown argument ${argument}: give none to serve${service.migrate ? ", or migrate" : ""}.`,
      );
    }
  } catch (error) {
    process.stderr.write(
      error instanceof EnvironmentError ? `${error.message}\n` : `${(error as Error).stack ?? error}\n`,
    );
    // What a start that failed halfway has opened would keep the process alive.
    process.exit(1);
  }
}

async function migrate<S extends z.ZodObject>(
  service: Service<S>,
  run: (context: Context<z.infer<S>>) => Promise<void>,
): Promise<void> {
  const environment = read<S, CommonEnvironment>(service, commonEnvironment);
  const log = createLogger(environment);
  await run({ environment, log, isStopping: () => false });
  log.info("the schema is up to date");
}

async function serve<S extends z.ZodObject>(service: Service<S>): Promise<void> {
  const environment = read<S, CommonEnvironment & ListenEnvironment>(
    service,
    commonEnvironment.extend(listenEnvironment.shape),
  );
  const log = createLogger(environment);
  let stopping = false;
  const { app, drain, close } = await service.start({ environment, log, isStopping: () => stopping });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(environment.PORT, environment.HOST);
  try {
    await once(server, "listening");
  } catch (error) {
    // What the service holds would keep a process alive that nobody can reach.
    await close();
    throw error;
  }
  const { address, port } = server.address() as { address: string; port: number };
  log.info({ address, port }, "listening");

  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"]) {
      process.once(name, resolve);
    }
  });
  stopping = true;
  log.info({ signal }, "stopping");
  await Promise.all([closeServer(server), drain?.()]);
  await close();
  log.info("stopped");
}

function read<S extends z.ZodObject, C>(service: Service<S>, common: z.ZodObject): z.infer<S> & C {
  return readEnvironment(common.extend(service.environment.shape)) as z.infer<S> & C;
}
