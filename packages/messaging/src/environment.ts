import { z } from "zod";

/** The variables of a service that sends or handles events. */
export const messagingEnvironment = z.object({
  NATS_URL: z.string().regex(/^nats:\/\/[^@/]+:\d+$/, "must be nats://host:port without credentials"),
  NATS_USER: z.string().min(1),
  NATS_PASSWORD: z.string().min(1),
});

export type MessagingEnvironment = z.infer<typeof messagingEnvironment>;
