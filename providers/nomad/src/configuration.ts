import { z } from "zod";

/** The provider's own settings. */
export const configurationSchema = z.strictObject({
  address: z.url().default("http://127.0.0.1:4646"),
  token: z.string().optional(),
  region: z.string().optional(),
});

export type Configuration = z.infer<typeof configurationSchema>;
