import { port } from "@lab/service-kit";
import { z } from "zod";

/** The variables of a service with a MySQL database. */
export const mysqlEnvironment = z.object({
  MYSQL_HOST: z.string().min(1),
  MYSQL_PORT: port,
  MYSQL_DATABASE: z.string().min(1),
  MYSQL_USER: z.string().min(1),
  MYSQL_PASSWORD: z.string().min(1),
  /** How many connections an instance holds at most: the relay and a reconciler keep one each, and requests need the rest. */
  MYSQL_CONNECTIONS: z.coerce.number().int().min(4).default(10),
});

export type MysqlEnvironment = z.infer<typeof mysqlEnvironment>;
