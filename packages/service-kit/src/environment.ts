import { z } from "zod";

/** By its digits: to a number made of an empty variable would be 0. */
function portFrom(lowest: number) {
  return z
    .string()
    .regex(/^\d{1,5}$/, "must be the number of a port")
    .transform(Number)
    .pipe(z.number().min(lowest).max(65_535));
}

/** The port of a server. */
export const port = portFrom(1);

/** A port to listen at; 0 is for any that is free. */
export const listenPort = portFrom(0);

/** What every service reads from its environment. */
export const commonEnvironment = z.object({
  SERVICE_NAME: z.string().min(1),
  ENVIRONMENT: z.string().min(1),
  INSTANCE_ID: z.string().min(1).default("local"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
});

/** What a service that listens reads besides. */
export const listenEnvironment = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: listenPort,
});

export type CommonEnvironment = z.infer<typeof commonEnvironment>;
export type ListenEnvironment = z.infer<typeof listenEnvironment>;

/** An environment that a service can't start with. The message names each variable, and never its value. */
export class EnvironmentError extends Error {
  override name = "EnvironmentError";
}

/**
 * Reads and checks environment variables once, at the start of a process (https://12factor.net/config).
 *
 * @throws EnvironmentError that names every variable that is missing or wrong
 */
export function readEnvironment<S extends z.ZodObject>(
  schema: S,
  variables: NodeJS.ProcessEnv = process.env,
): z.infer<S> {
  const parsed = schema.safeParse(variables);
  if (parsed.success) {
    return parsed.data;
  }
  const lines = parsed.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    return variables[name] === undefined ? `${name} is not set` : `${name}: ${message}`;
  });
  throw new EnvironmentError(
    `The environment is not usable:\n${lines.map((line) => `  ${line}`).join("\n")}`,
  );
}
