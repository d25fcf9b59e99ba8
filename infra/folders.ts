import { join, resolve } from "node:path";

/** Where a stack keeps what it has; absolute paths, which may hold spaces. */
export interface Folders {
  /** The checkout. */
  root: string;
  /** What the lab keeps of every stack: `.lab/` of the checkout, or `LAB_HOME`. */
  home: string;
  /** The Pulumi file backend. */
  state: string;
  pulumiHome: string;
  passphraseFile: string;
  /** The content-addressed archives of the services, shared by all stacks. */
  releases: string;
  /** What belongs to this stack alone. */
  stack: string;
  /** The stack's working copy of its configuration, which Pulumi may write to. */
  configFile: string;
  /** One folder a job; outlives the jobs. */
  data: string;
  /** The key that every password of the stack derives from. */
  key: string;
  consul: string;
  nomad: string;
  logs: string;
}

/**
 * The folders of a stack.
 *
 * @param stack the stack's name
 * @param environment where `LAB_HOME` is looked up
 */
export function foldersOf(stack: string, environment: NodeJS.ProcessEnv = process.env): Folders {
  const root = resolve(import.meta.dirname, "..");
  const home = resolve(environment.LAB_HOME || join(root, ".lab"));
  const own = join(home, stack);
  const data = join(own, "data");
  return {
    root,
    home,
    state: join(home, "state"),
    pulumiHome: join(home, "pulumi"),
    passphraseFile: join(home, "passphrase"),
    releases: join(home, "releases"),
    stack: own,
    configFile: join(own, `Pulumi.${stack}.yaml`),
    data,
    key: join(data, ".key"),
    consul: join(own, "consul"),
    nomad: join(own, "nomad"),
    logs: join(own, "logs"),
  };
}
