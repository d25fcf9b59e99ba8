import { createHash, X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates } from "node:tls";

/**
 * Writes what Node.js trusts, `NODE_EXTRA_CA_CERTS` included, and what this machine trusts, as one PEM file. A machine without
 * ca-certificates has Node.js's own list at least.
 *
 * @returns its path, for `SSL_CERT_FILE`
 */
export async function writePem(folder: string): Promise<string> {
  const file = join(folder, "certificates.pem");
  await writeFile(file, trusted().join("\n"));
  return file;
}

/**
 * Writes the same as a Java key store. Debian's Java takes its certificates from a file in /etc that only an installed
 * package makes; an unpacked one trusts nobody.
 *
 * @returns its path, for `javax.net.ssl.trustStore`; without a password
 */
export async function writeKeyStore(folder: string): Promise<string> {
  const file = join(folder, "certificates.jks");
  await writeFile(file, keyStore(trusted().map((pem) => new X509Certificate(pem).raw)));
  return file;
}

function trusted(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}

/** The JKS format, as `sun.security.provider.JavaKeyStore` reads it; all numbers are big-endian. */
function keyStore(certificates: Buffer[]): Buffer {
  const createdMs = Buffer.alloc(8);
  const entries = certificates.flatMap((certificate, index) => [
    // 2: a trusted certificate.
    int32(2),
    utf(`certificate-${index}`),
    createdMs,
    utf("X.509"),
    int32(certificate.length),
    certificate,
  ]);
  const content = Buffer.concat([int32(0xfeedfeed), int32(2), int32(certificates.length), ...entries]);
  // It guards against accidents only: the password is the one that every Java's own list has.
  const password = Buffer.from("changeit", "utf16le").swap16();
  const digest = createHash("sha1").update(password).update("Mighty Aphrodite").update(content).digest();
  return Buffer.concat([content, digest]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function utf(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
