import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The version of `@pulumi/consul`, whose plugin this provider stands in for. */
const version = "3.15.1";

/** Where Pulumi looks for the plugin. */
function pluginFolder(pulumiHome: string): string {
  return join(pulumiHome, "plugins", `resource-consul-v${version}`);
}

/** Whether Pulumi has a Consul plugin already, the published one or this one. */
export function consulPluginIsInstalled(pulumiHome: string): boolean {
  return existsSync(join(pluginFolder(pulumiHome), "pulumi-resource-consul"));
}

/**
 * Puts this provider where Pulumi expects the published plugin of `@pulumi/consul`.
 *
 * @param pulumiHome the lab's own `PULUMI_HOME`, never a user's
 */
export async function installConsulPlugin(pulumiHome: string): Promise<void> {
  const folder = pluginFolder(pulumiHome);
  const program = resolve(import.meta.dirname, "..", "pulumi-resource-consul");
  await mkdir(join(pulumiHome, "plugins"), { recursive: true });
  const aside = await mkdtemp(join(pulumiHome, "plugins", ".consul-"));
  const executable = join(aside, "pulumi-resource-consul");
  await writeFile(executable, `#!/bin/sh\nexec '${program.replaceAll("'", `'\\''`)}' "$@"\n`);
  await chmod(executable, 0o755);
  await rm(folder, { recursive: true, force: true });
  await rename(aside, folder);
}
