import { isDeepStrictEqual } from "node:util";
import { type Policies, PoliciesError, policiesFrom } from "./policies.ts";

/** What is known of the policies, for people. */
export interface PoliciesReport {
  /** Where the ones in use come from: the configuration alone, or with what Consul's key has. */
  source: "configuration" | "consul";
  /** Consul's number of the last change that was looked at. */
  consulIndex?: number;
  /** Why the last value in Consul was refused; the policies before it stay in use. */
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
   * @param consulIndex of the change
   * @returns whether other policies are in use now
   */
  take(text: string | undefined, consulIndex: number): "changed" | "same" | "refused" {
    try {
      const policies = this.#over(text);
      const isSame = isDeepStrictEqual(policies, this.#policies);
      this.#policies = policies;
      this.#report = { source: text === undefined ? "configuration" : "consul", consulIndex };
      return isSame ? "same" : "changed";
    } catch (error) {
      if (!(error instanceof PoliciesError)) {
        throw error;
      }
      this.#report = { ...this.#report, consulIndex, refused: error.message };
      return "refused";
    }
  }

  /**
   * Says whether a value of Consul's key would be taken.
   *
   * @throws PoliciesError when it would not
   */
  check(text: string): void {
    this.#over(text);
  }

  #over(text: string | undefined): Policies {
    return policiesFrom(text === undefined ? [this.#base] : [this.#base, parsed(text)], this.#services);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PoliciesError("the value is not JSON");
  }
}
