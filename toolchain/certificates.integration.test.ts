import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeKeyStore } from "./certificates.ts";
import { installTools } from "./install.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "certificates test "));
});

afterAll(() => rm(folder, { recursive: true }));

test("Java reads the key store, and trusts in it what Node.js trusts", async () => {
  const [java] = await installTools({ names: ["java"] });
  const keytool = join(dirname(java?.paths.executable as string), "keytool");
  const { stdout } = await execa(keytool, [
    ...["-list", "-keystore", await writeKeyStore(folder), "-storepass", "changeit"],
  ]);
  const entries = stdout.match(/trustedCertEntry/g) ?? [];
  expect(entries.length).toBeGreaterThanOrEqual(rootCertificates.length);
});
