import { Secret } from "@lab/provider-host";
import type * as pulumi from "@pulumi/pulumi";

/**
 * The passwords and tokens of a stack. Each derives from the one key in the stack's data folder, so that data
 * which outlives the Pulumi state still opens.
 */
export class Keyring {
  readonly #keyFile: string;
  readonly #options: pulumi.CustomResourceOptions;
  readonly #secrets = new Map<string, pulumi.Output<string>>();

  /**
   * @param keyFile made, readable for its owner only, when it does not exist
   * @param options handed to every secret
   */
  constructor(keyFile: string, options: pulumi.CustomResourceOptions = {}) {
    this.#keyFile = keyFile;
    this.#options = options;
  }

  /** A password of 32 characters that need no escaping anywhere; the same each time it is asked for. */
  password(name: string): pulumi.Output<string> {
    return this.#secret(name, "password");
  }

  /** A token in the form of a UUID, as Consul and Nomad want theirs. */
  token(name: string): pulumi.Output<string> {
    return this.#secret(name, "uuid");
  }

  #secret(name: string, kind: "password" | "uuid"): pulumi.Output<string> {
    const known = this.#secrets.get(name);
    if (known !== undefined) {
      return known;
    }
    const { value } = new Secret(name, { keyFile: this.#keyFile, name, kind }, this.#options);
    this.#secrets.set(name, value);
    return value;
  }
}
