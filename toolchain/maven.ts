import { existsSync } from "node:fs";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeKeyStore } from "./certificates.ts";
import { unpackPackages } from "./debian.ts";
import { findAll } from "./on-path.ts";
import { run } from "./run.ts";

/** Pinned, so that the same jars are chosen everywhere. */
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** Copies the jars that a pom in `toolchain/` names, and all that they depend on, into `<folder>/lib`. */
export async function copyJars(
  pom: string,
  folder: string,
  settings: {
    environment: NodeJS.ProcessEnv;
    cache: string;
    java: string;
    work: string;
    signal?: AbortSignal;
  },
): Promise<void> {
  const { environment, cache, java, work, signal } = settings;
  const maven = findAll("mvn", environment)[0] ?? (await fetchMaven(cache, work, signal));
  const repository = join(folder, ".m2");
  const javaHome = join(await realpath(java), "..", "..");
  const hasCertificates = existsSync(join(javaHome, "lib", "security", "cacerts"));
  await run(
    maven,
    [
      "--batch-mode",
      "--quiet",
      ...(hasCertificates ? [] : [`-Djavax.net.ssl.trustStore=${await writeKeyStore(work)}`]),
      `-Dmaven.repo.local=${repository}`,
      "-f",
      pom,
      copyGoal,
      "-DincludeScope=runtime",
      `-DoutputDirectory=${join(folder, "lib")}`,
    ],
    { env: { JAVA_HOME: javaHome }, signal },
  );
  await rm(repository, { recursive: true });
}

async function fetchMaven(cache: string, work: string, signal?: AbortSignal): Promise<string> {
  const root = join(work, "maven");
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  await unpackPackages(["maven"], cache, root, { signal });
  return join(root, "usr", "share", "maven", "bin", "mvn");
}
