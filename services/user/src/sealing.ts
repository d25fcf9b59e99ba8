import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** Keeps secrets that are stored from those who can read the store only. */
export interface Sealing {
  /** @param purpose what the secret is for; it opens for nothing else */
  seal(secret: string, purpose: string): Buffer;
  /** @throws SealError when it was sealed with another key, or for another purpose, or was changed */
  open(sealed: Buffer, purpose: string): string;
}

export class SealError extends Error {
  override name = "SealError";
}

const algorithm = "aes-256-gcm";
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM; what is sealed is the nonce, the tag, and the ciphertext. */
export function createSealing(keyEncryptionKey: string): Sealing {
  const key = Buffer.from(hkdfSync("sha256", keyEncryptionKey, "", "signing keys of the shop", keyBytes));
  return {
    seal(secret, purpose) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.from(purpose));
      const text = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, purpose) {
      const nonce = sealed.subarray(0, nonceBytes);
      const tag = sealed.subarray(nonceBytes, nonceBytes + tagBytes);
      try {
        const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
        decipher.setAAD(Buffer.from(purpose));
        decipher.setAuthTag(tag);
        const text = sealed.subarray(nonceBytes + tagBytes);
        return Buffer.concat([decipher.update(text), decipher.final()]).toString("utf8");
      } catch (error) {
        throw new SealError(`${purpose} can't be opened with this KEY_ENCRYPTION_KEY.`, { cause: error });
      }
    },
  };
}
