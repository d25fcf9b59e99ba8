import * as pulumi from "@pulumi/pulumi";

export interface ProcessArgs {
  /** Path of the program. */
  command: string;
  args?: pulumi.Input<pulumi.Input<string>[]>;
  /** The environment, besides `PATH` and `HOME`. */
  env?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Default: `stateFolder`. */
  cwd?: string;
  /** Files to write before the start, readable for the owner only; their content by path. A change restarts the process. */
  files?: Record<string, pulumi.Input<string>>;
  /** Takes what the process prints. */
  logFile: string;
  /**
   * A folder that belongs to the process: made before it starts, and removed with it, after ending whatever it supervised
   * there.
   */
  stateFolder?: string;
  /** When the process counts as ready: `http` answers 2xx, `tcp` (`host:port`) accepts. */
  ready: {
    http?: pulumi.Input<string>;
    headers?: Record<string, pulumi.Input<string>>;
    tcp?: pulumi.Input<string>;
    timeoutMs?: number;
  };
  /** Ports that must be free before the start; a taken one is refused with the name of its holder. */
  ports?: number[];
  /** How long the process may take to end after SIGTERM. Default: 10 s. */
  stopTimeoutMs?: number;
}

/** A process that outlives `pulumi up`; the next `up` restarts it when it has died. */
export class Process extends pulumi.CustomResource {
  declare readonly pid: pulumi.Output<number>;
  declare readonly startTicks: pulumi.Output<string>;
  declare readonly bootId: pulumi.Output<string>;

  constructor(name: string, args: ProcessArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "host:index/process:Process",
      name,
      { ...args, pid: undefined, startTicks: undefined, bootId: undefined },
      options,
    );
  }
}

export interface BundleArgs {
  name: string;
  /** Path of the entry point. */
  entry: string;
  /** Files to lie beside the program (`main.js`): their paths by the names that they get. */
  assets?: Record<string, string>;
  /** The folder that takes the archive. */
  releases: string;
}

/** A service and everything it imports as one archive, named by its SHA-256. */
export class Bundle extends pulumi.CustomResource {
  /** SHA-256 of the archive in hexadecimal; its file is `<digest>.tar.gz`. */
  declare readonly digest: pulumi.Output<string>;
  /** Path of the archive. */
  declare readonly archive: pulumi.Output<string>;

  constructor(name: string, args: BundleArgs, options?: pulumi.CustomResourceOptions) {
    super("host:index/bundle:Bundle", name, { ...args, digest: undefined, archive: undefined }, options);
  }
}

export interface SecretArgs {
  /** Made with 32 random bytes, readable for the owner only, when it does not exist; never removed. */
  keyFile: string;
  /** What tells this secret from the others of the key. */
  name: string;
  /** Default: `password`, 32 characters of `[A-Za-z0-9_-]`. */
  kind?: "password" | "uuid";
}

/** A password or token derived from a key file. */
export class Secret extends pulumi.CustomResource {
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, args: SecretArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "host:index/secret:Secret",
      name,
      { ...args, value: undefined },
      { ...options, additionalSecretOutputs: ["value"] },
    );
  }
}
