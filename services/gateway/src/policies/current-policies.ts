import { isDeepStrictEqual } from "node:util";
import { type Policies, PoliciesError, policiesFrom } from "./policies.ts";

/** What is known of the policies, for people. */
export interface PoliciesReport {
  /** Where the ones in use come from: the configuration alone, or with what Consul's key has. */
  source: "configuration" | "consul";
  /** Why the last value in Consul was refused; the ones before it stay in use. */
  refused?: string;
}

/** The policies in use: those of the configuration, with those in Consul laid over them as long as both together are valid. */
export class CurrentPolicies {
  readonly #base: unknown;
  readonly #services: readonly string[];
  #policies: Policies;
  #report: PoliciesReport = { source: "configuration" };

  /** @throws PoliciesError when the configuration's own are not valid */
  constructor(base: unknown, services: readonly string[]) {
    this.#base = base;
    this.#services = services;
    this.#policies = policiesFrom([base], services);
  }

  get policies(): Policies {
    return this.#policies;
  }

  get report(): PoliciesReport {
    return this.#report;
  }

  /**
   * Takes the value of Consul's key, or that there is none.
   *
   * @returns whether other policies are in use now
   */
  take(text: string | undefined): "changed" | "same" | "refused" {
    try {
      const layers = text === undefined ? [this.#base] : [this.#base, parsed(text)];
      const policies = policiesFrom(layers, this.#services);
      const isSame = isDeepStrictEqual(policies, this.#policies);
      this.#policies = policies;
      this.#report = { source: text === undefined ? "configuration" : "consul" };
      return isSame ? "same" : "changed";
    } catch (error) {
      if (!(error instanceof PoliciesError)) {
        throw error;
      }
      this.#report = { ...this.#report, refused: error.message };
      return "refused";
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PoliciesError("the value is not JSON");
  }
}
