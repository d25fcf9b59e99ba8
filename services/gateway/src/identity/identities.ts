import { LRUCache } from "lru-cache";
import type { InternalToken } from "./internal-tokens.ts";
import { type PersonClaims, TokenError } from "./person-tokens.ts";

/** Who has sent a request. */
export interface Identity {
  claims: PersonClaims;
  /** What services get in place of the person's own token. */
  internal: InternalToken;
}

export interface IdentitiesOptions {
  /** Checks a person's token; throws TokenError. */
  verify(token: string): Promise<PersonClaims>;
  sign(claims: PersonClaims, nowSeconds: number): Promise<InternalToken>;
  isRevoked(claims: PersonClaims): boolean;
  /** Milliseconds since 1970. */
  now?(): number;
}

/** How long before its end a token for services is replaced, so that it lasts for the whole request, in seconds. */
const renewBeforeSeconds = 30;
const maxRemembered = 10_000;

/**
 * Finds out who has sent a request. A signature costs more than all else that a small request does (checking one 0.1 ms,
 * making one 0.05 ms), so each token is checked once, and remembered until its end at the latest; whether it was revoked is
 * looked up each time.
 */
export class Identities {
  readonly #options: IdentitiesOptions;
  readonly #now: () => number;
  readonly #remembered = new LRUCache<string, Identity>({ max: maxRemembered });
  readonly #renewing = new Map<string, Promise<Identity>>();

  constructor(options: IdentitiesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Whose token it is: at once where it is known, else when it has been checked.
   *
   * @throws TokenError when it is not good, now or later
   */
  of(token: string): Identity | Promise<Identity> {
    const known = this.#remembered.get(token);
    const nowSeconds = this.#now() / 1000;
    if (!known) {
      return this.#renew(token, undefined);
    }
    this.#refuse(known.claims);
    if (known.internal.exp - nowSeconds > renewBeforeSeconds) {
      return known;
    }
    // Near its own end a token can't get one for services that lasts longer.
    return known.internal.exp >= known.claims.exp ? known : this.#renew(token, known.claims);
  }

  #refuse(claims: PersonClaims): void {
    if (claims.exp <= this.#now() / 1000) {
      throw new TokenError("The token has expired. Log in again.");
    }
    if (this.#options.isRevoked(claims)) {
      throw new TokenError("The token was logged out. Log in again.");
    }
  }

  /** Requests at once with the same token wait for one check. */
  #renew(token: string, claims: PersonClaims | undefined): Promise<Identity> {
    const running = this.#renewing.get(token);
    if (running) {
      return running;
    }
    const renewal = this.#identify(token, claims).finally(() => this.#renewing.delete(token));
    this.#renewing.set(token, renewal);
    return renewal;
  }

  async #identify(token: string, checked: PersonClaims | undefined): Promise<Identity> {
    const claims = checked ?? (await this.#options.verify(token));
    this.#refuse(claims);
    const internal = await this.#options.sign(claims, Math.floor(this.#now() / 1000));
    const identity = { claims, internal };
    this.#remembered.set(token, identity);
    return identity;
  }
}
