import { z } from "zod";

/** The provider's own settings, as `@pulumi/consul` names them; those that the lab doesn't use are passed over. */
export const configurationSchema = z.object({
  address: z.string().default("127.0.0.1:8500"),
  scheme: z.enum(["http", "https"]).default("http"),
  datacenter: z.string().optional(),
  token: z.string().optional(),
});

export type Configuration = z.infer<typeof configurationSchema>;
