import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the gateway is to the services: one who signs tokens and publishes the key. */
export interface Identities {
  /** The environment of a service that knows people by these tokens. */
  environment: { JWKS_URL: string; JWT_ISSUER: string; JWT_AUDIENCE: string };
  /** A token of a person, good for an hour. */
  tokenOf(userId: number, role?: "customer" | "admin", login?: Login): string;
  stop(): void;
}

/** A log-in, as the gateway names it to the services. */
export interface Login {
  sid: string;
  /** In seconds since 1970. */
  sid_exp: number;
}

const kid = "test";
const issuer = "test";
const audience = "shop";

/** Publishes a key on a free port, and signs tokens with it. */
export async function startIdentities(): Promise<Identities> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid, alg: "EdDSA" }];
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys })));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    environment: {
      JWKS_URL: `http://127.0.0.1:${port}/`,
      JWT_ISSUER: issuer,
      JWT_AUDIENCE: audience,
    },
    tokenOf(userId, role = "customer", login) {
      const now = Math.floor(Date.now() / 1000);
      const claims = { name: `User ${userId}`, role, sub: String(userId), iat: now, exp: now + 3600 };
      const parts = [
        { alg: "EdDSA", kid },
        { ...claims, ...login, iss: issuer, aud: audience },
      ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      const signed = parts.join(".");
      return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
