import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { type Environment, environmentOf } from "../infra/environment.ts";
import { type Folders, foldersOf } from "../infra/folders.ts";
import { LabError } from "./errors.ts";

/** A stack as the commands see it. Opening it changes nothing. */
export interface Stack {
  name: string;
  folders: Folders;
  /** The file that people edit: `Pulumi.<stack>.yaml` of the checkout, or `LAB_CONFIG`. */
  configSource: string;
}

const stackName = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** Finds a stack's folders and its configuration. */
export function openStack(name: string): Stack {
  if (!stackName.test(name)) {
    throw new LabError(
      "usage",
      "stack-name",
      `${name} can't be the name of a stack.`,
      "Use lower-case letters, digits and dashes, such as dev.",
    );
  }
  const folders = foldersOf(name);
  const configSource = resolve(process.env.LAB_CONFIG || join(folders.root, `Pulumi.${name}.yaml`));
  if (!existsSync(configSource)) {
    throw new LabError(
      "usage",
      "no-such-stack",
      `There is no stack ${name}: ${configSource} does not exist.`,
      "Copy Pulumi.dev.yaml to that name and give it a lab:portBase of its own.",
    );
  }
  return { name, folders, configSource };
}

/** The typed configuration of a stack, read from its file. */
export function environmentFrom({ name, configSource }: Stack): Environment {
  const values = Object.entries(readConfig(configSource))
    .filter(([key]) => key.startsWith("lab:"))
    .map(([key, value]) => [
      key.slice("lab:".length),
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
  return environmentOf(name, Object.fromEntries(values));
}

/** Makes the folders that everything else is in, and the passphrase of the state. */
export function prepareFolders({ folders }: Stack): void {
  // Other users of the machine have no business in it: logs and configuration say much.
  mkdirSync(folders.home, { recursive: true, mode: 0o700 });
  for (const folder of [folders.state, folders.pulumiHome, folders.releases, folders.stack]) {
    mkdirSync(folder, { recursive: true });
  }
  mkdirSync(folders.data, { recursive: true, mode: 0o700 });
  if (!existsSync(folders.passphraseFile)) {
    writeAside(folders.passphraseFile, `${randomBytes(24).toString("base64url")}\n`);
  }
}

/**
 * Copies the configuration to where Pulumi may write to it. Pulumi puts the salt of the state's encryption into the file that
 * it is given; kept in the copy, it never makes the checkout dirty.
 */
export function syncConfig({ configSource, folders }: Stack): void {
  readConfig(configSource);
  const source = readFileSync(configSource, "utf8");
  const salt = existsSync(folders.configFile)
    ? readFileSync(folders.configFile, "utf8").match(saltLine)?.[0]
    : undefined;
  const lines = [source.replace(saltLine, "").trimEnd(), ...(salt ? [salt] : [])];
  const content = `${lines.join("\n")}\n`;
  if (!existsSync(folders.configFile) || readFileSync(folders.configFile, "utf8") !== content) {
    writeAside(folders.configFile, content);
  }
}

const saltLine = /^encryptionsalt:.*$/m;

/** A text that was cut off by a crash or a full disk must not be taken for a whole one. */
function writeAside(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function readConfig(file: string): Record<string, unknown> {
  const unusable = (why: string) =>
    new LabError(
      "usage",
      "configuration",
      `${file} can't be read: ${why}`,
      "Correct the file and run this again.",
    );
  try {
    const { config = {} } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
    if (typeof config !== "object" || config === null) {
      throw unusable("config: must hold settings.");
    }
    return config;
  } catch (error) {
    throw error instanceof YAMLParseError ? unusable(error.message) : error;
  }
}
