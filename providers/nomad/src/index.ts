import * as pulumi from "@pulumi/pulumi";

export interface ProviderArgs {
  /** Such as `http://127.0.0.1:4646`. */
  address: pulumi.Input<string>;
  token?: pulumi.Input<string>;
  region?: pulumi.Input<string>;
}

/** A Nomad cluster and the token to it. */
export class Provider extends pulumi.ProviderResource {
  constructor(name: string, args: ProviderArgs, options?: pulumi.ResourceOptions) {
    super("nomad", name, { ...args, token: args.token && pulumi.secret(args.token) }, options);
  }
}

export interface JobArgs {
  /** The job specification in HCL. */
  jobspec: pulumi.Input<string>;
  /** Values of its variables. */
  variables?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Whether deleting removes the job from Nomad's records at once. Default: true. */
  purgeOnDelete?: pulumi.Input<boolean>;
  /** How long the job may take to become healthy, or a batch job to complete. Default: 7 minutes. */
  timeoutMs?: pulumi.Input<number>;
}

/** A job. It counts as created or updated once its deployment is healthy; a rollback fails the update. */
export class Job extends pulumi.CustomResource {
  declare readonly namespace: pulumi.Output<string>;
  declare readonly type: pulumi.Output<string>;
  declare readonly jobModifyIndex: pulumi.Output<number>;

  constructor(name: string, args: JobArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "nomad:index/job:Job",
      name,
      { ...args, name: undefined, namespace: undefined, type: undefined, jobModifyIndex: undefined },
      options,
    );
  }
}

export interface NamespaceArgs {
  name: pulumi.Input<string>;
  description?: pulumi.Input<string>;
}

export class Namespace extends pulumi.CustomResource {
  constructor(name: string, args: NamespaceArgs, options?: pulumi.CustomResourceOptions) {
    super("nomad:index/namespace:Namespace", name, args, options);
  }
}

export interface VariableArgs {
  /** Such as `nomad/jobs/mysql`, which the tasks of job `mysql` may read. */
  path: pulumi.Input<string>;
  namespace?: pulumi.Input<string>;
  items: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** Named values in Nomad's encrypted store. The items are always secret. */
export class Variable extends pulumi.CustomResource {
  constructor(name: string, args: VariableArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "nomad:index/variable:Variable",
      name,
      { ...args, items: pulumi.secret(args.items) },
      { ...options, additionalSecretOutputs: ["items"] },
    );
  }
}

export interface AclPolicyArgs {
  name: pulumi.Input<string>;
  description?: pulumi.Input<string>;
  /** The policy in HCL. */
  rules: pulumi.Input<string>;
}

export class AclPolicy extends pulumi.CustomResource {
  constructor(name: string, args: AclPolicyArgs, options?: pulumi.CustomResourceOptions) {
    super("nomad:index/aclPolicy:AclPolicy", name, args, options);
  }
}

export interface AclTokenArgs {
  name: pulumi.Input<string>;
  /** Default: `client`. */
  type?: pulumi.Input<"client" | "management">;
  policies?: pulumi.Input<pulumi.Input<string>[]>;
  global?: pulumi.Input<boolean>;
}

export class AclToken extends pulumi.CustomResource {
  declare readonly accessorId: pulumi.Output<string>;
  declare readonly secretId: pulumi.Output<string>;

  constructor(name: string, args: AclTokenArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "nomad:index/aclToken:AclToken",
      name,
      { ...args, accessorId: undefined, secretId: undefined },
      { ...options, additionalSecretOutputs: ["secretId"] },
    );
  }
}

export interface AclBootstrapArgs {
  /** Such as `http://127.0.0.1:4646`. */
  address: pulumi.Input<string>;
  region?: pulumi.Input<string>;
  /** The management token to give to the cluster; a UUID. */
  secretId: pulumi.Input<string>;
}

/** The first management token of a cluster. */
export class AclBootstrap extends pulumi.CustomResource {
  declare readonly secretId: pulumi.Output<string>;

  constructor(name: string, args: AclBootstrapArgs, options?: pulumi.CustomResourceOptions) {
    super("nomad:index/aclBootstrap:AclBootstrap", name, args, {
      ...options,
      additionalSecretOutputs: ["secretId"],
    });
  }
}

export interface SchedulerConfigArgs {
  /** Whether a task may use more memory than is reserved for it, up to its `memory_max`. */
  memoryOversubscriptionEnabled: pulumi.Input<boolean>;
}

/** How a cluster's scheduler works. */
export class SchedulerConfig extends pulumi.CustomResource {
  constructor(name: string, args: SchedulerConfigArgs, options?: pulumi.CustomResourceOptions) {
    super("nomad:index/schedulerConfig:SchedulerConfig", name, args, options);
  }
}
