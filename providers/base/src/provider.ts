import type { ZodType } from "zod";
import type { Properties } from "./values.ts";

/** How a property changes: in place, or by replacing the resource. */
export type Change = "add" | "add-replace" | "delete" | "delete-replace" | "update" | "update-replace";

/** What differs between a resource's state and what the program wants. */
export interface Difference {
  /** Changes by property path (`variables.port`, `args[0]`). Empty: nothing to do. */
  changes: Record<string, Change>;
  /** Whether a replacement deletes the old resource before it creates the new one. Default: true. */
  deleteBeforeReplace?: boolean;
  /** Properties that no update changes. */
  stables?: string[];
}

/** What a handler may use besides its arguments. */
export interface Context<C = unknown> {
  /** The provider's configuration. */
  config: C;
  /** Aborted when the engine cancels, as after Ctrl-C. */
  signal: AbortSignal;
  /** Shows a line beside the resource in Pulumi's output. */
  log(severity: "debug" | "info" | "warning" | "error", message: string): void;
  /** Whether this is a preview; no change may be made. */
  preview: boolean;
}

/** A resource as the provider knows it. */
export interface State<O> {
  id: string;
  outputs: O;
}

/**
 * One type of resource. Handlers see plain values: secrets are taken out of their wrappers on the way in, and every
 * output of the same name as a secret input is marked again on the way out.
 */
// biome-ignore lint/suspicious/noExplicitAny: the defaults let handlers of different shapes stand in one list
export interface ResourceHandler<I = any, O = any, C = any> {
  /** The type token, such as `nomad:index/job:Job`. */
  type: string;
  /** What the inputs must be; failures are reported by property. */
  inputs: ZodType<I>;
  /** Inputs whose change replaces the resource. */
  replaceOn?: readonly string[];
  /** Outputs that are always secret. */
  secretOutputs?: readonly string[];
  /** Adds to the checked inputs, or refuses them by throwing; not called while an input is unknown. */
  check?(context: Context<C>, inputs: I): Promise<I>;
  /** Takes the place of the schema: the exact answer to `Check`, for a faithful stand-in. */
  checkRaw?(news: Properties): Properties;
  /** Takes the place of the inputs laid over the state: the exact answer to a preview, for a faithful stand-in. */
  previewRaw?(inputs: Properties, olds?: Properties): Properties;
  /** Takes the place of comparing the inputs, or adds to it (see {@link compare}). */
  diff?(
    context: Context<C>,
    args: { id: string; olds: O; oldInputs: Properties; news: I },
  ): Promise<Difference>;
  create(context: Context<C>, args: { name: string; inputs: I }): Promise<State<O>>;
  /** `undefined`: the resource is gone. For an import `inputs` and `outputs` are empty. */
  read?(
    context: Context<C>,
    args: { id: string; inputs: Partial<I>; outputs: Partial<O> },
  ): Promise<(State<O> & { inputs: Partial<I> }) | undefined>;
  update?(
    context: Context<C>,
    args: { id: string; olds: O; oldInputs: I; inputs: I },
  ): Promise<{ outputs: O }>;
  delete(context: Context<C>, args: { id: string; inputs: Partial<I>; outputs: O }): Promise<void>;
}

/** A function of a provider, such as `consul:index/getAclTokenSecretId:getAclTokenSecretId`. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export interface FunctionHandler<A = any, C = any> {
  token: string;
  arguments: ZodType<A>;
  secretResults?: readonly string[];
  call(context: Context<C>, args: A): Promise<Properties>;
}

/** A provider: its name, its configuration and what it serves. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export interface Provider<C = any> {
  name: string;
  version: string;
  /** The provider's own settings, given to `Configure`. */
  config: ZodType<C>;
  resources: readonly ResourceHandler[];
  functions?: readonly FunctionHandler[];
}

/**
 * The resource exists but isn't what it should be: a job that was registered and doesn't become healthy. Pulumi keeps it in
 * its state, fails the update, and updates it the next time.
 */
export class InitializationFailed extends Error {
  override name = "InitializationFailed";
  readonly id: string;
  readonly outputs: Properties;
  readonly reasons: string[];

  constructor(id: string, outputs: Properties, reasons: string[]) {
    super(reasons.join("\n"));
    this.id = id;
    this.outputs = outputs;
    this.reasons = reasons;
  }
}
