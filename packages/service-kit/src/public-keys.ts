import { z } from "@hono/zod-openapi";

const publicKey = z
  .object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string(),
    kid: z.string(),
    alg: z.literal("EdDSA"),
    use: z.literal("sig"),
  })
  .openapi("PublicKey");

/** Public keys of Ed25519 as they are published (RFC 7517, RFC 8037). */
export const publicKeysSchema = z.object({ keys: z.array(publicKey) }).openapi("PublicKeys");

export type PublicKeys = z.infer<typeof publicKeysSchema>;
