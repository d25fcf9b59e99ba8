import { port } from "@lab/service-kit";
import { z } from "zod";

/** The variables of a service with an account of Redis. */
export const redisEnvironment = z.object({
  REDIS_HOST: z.string().min(1),
  REDIS_PORT: port,
  REDIS_USER: z.string().min(1),
  REDIS_PASSWORD: z.string().min(1),
});

export type RedisEnvironment = z.infer<typeof redisEnvironment>;
