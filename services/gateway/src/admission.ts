import type { Upstream } from "@lab/discovery";
import { bearerOf, KeysAwayError } from "@lab/service-kit";
import { errors } from "jose";
import { type Call, RefusedError } from "./call.ts";
import { clientAddress, Networks, plainAddress } from "./client-address.ts";
import type { Identities, Identity } from "./identity/identities.ts";
import { TokenError } from "./identity/person-tokens.ts";
import type { Revocations } from "./identity/revocations.ts";
import { RateLimitAwayError, type RateLimits, type Verdict } from "./limits/rate-limits.ts";
import * as metrics from "./metrics.ts";
import type { Policies } from "./policies/policies.ts";
import { type BodyError, refuseLarge } from "./proxy/body.ts";
import { readTarget } from "./request-target.ts";
import type { RouteTable } from "./routes.ts";

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export interface AdmissionOptions {
  routes: RouteTable;
  upstreams: ReadonlyMap<string, Upstream>;
  identities: Identities;
  revocations: Pick<Revocations, "isCurrent">;
}

/** What may change at run time. */
interface Rules {
  policies: Policies;
  limits: RateLimits;
  trusted: Networks;
  exempt: Networks;
}

function rulesOf(policies: Policies, limits: RateLimits): Rules {
  return {
    policies,
    limits,
    trusted: new Networks(policies.trustedProxies),
    exempt: new Networks(policies.rateLimit.exempt),
  };
}

/** Decides which requests go on: where to, whose they are, and whether there are too many of them. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #prefixes: string;
  #rules: Rules;

  constructor(options: AdmissionOptions, policies: Policies, limits: RateLimits) {
    this.#options = options;
    this.#prefixes = options.routes.destinations.map(({ prefix }) => prefix).join(", ");
    this.#rules = rulesOf(policies, limits);
  }

  configure(policies: Policies, limits: RateLimits): void {
    this.#rules = rulesOf(policies, limits);
  }

  /**
   * Fills in what there is to know of a call: at once (`undefined`) where nobody has to be asked for it.
   *
   * @throws RefusedError, now or later
   */
  admit(call: Call): Promise<void> | undefined {
    this.#route(call);
    const identity = this.#identify(call);
    if (identity instanceof Promise) {
      return identity.then(
        (known) => this.#goOn(call, known),
        (error) => this.#refuseToken(call, error as Error),
      );
    }
    return this.#goOn(call, identity);
  }

  #route(call: Call): void {
    const { incoming } = call;
    const { method = "", url = "", headers, socket } = incoming;
    call.client = clientAddress(plainAddress(socket.remoteAddress ?? ""), headers, this.#rules.trusted);
    if (!methods.has(method)) {
      throw refused(405, `${method} is not for this API.`, ["Allow", [...methods].join(", ")]);
    }
    if (incoming.httpVersion === "1.0" && headers["transfer-encoding"] !== undefined) {
      // Whoever sent it may take its end to be elsewhere (RFC 9112 §6.1).
      throw new RefusedError({
        status: 400,
        detail: "HTTP/1.0 knows no chunks. Send Content-Length.",
        closes: true,
      });
    }
    const target = readTarget(url);
    if (!target) {
      throw refused(400, "The path is ambiguous: leave out dot segments, backslashes and NUL.");
    }
    call.target = target;
    const destination = this.#options.routes.find(target.path);
    const upstream = destination && this.#options.upstreams.get(destination.service);
    if (!destination || !upstream) {
      throw refused(404, `No service has ${target.path}. The routes: ${this.#prefixes}.`);
    }
    call.destination = destination;
    call.upstream = upstream;
    try {
      refuseLarge(incoming, this.#rules.policies.maxBodyBytes);
    } catch (error) {
      throw new RefusedError({ status: (error as BodyError).status, detail: (error as Error).message });
    }
  }

  #identify(call: Call): Identity | undefined | Promise<Identity> {
    const header = call.incoming.headers.authorization;
    if (header === undefined) {
      return undefined;
    }
    try {
      return this.#options.identities.of(bearerOf(header));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #goOn(call: Call, identity: Identity | undefined): Promise<void> | undefined {
    call.identity = identity;
    if (identity === undefined) {
      return this.#goOnUnknown(call);
    }
    if (this.#rules.policies.revocation.whenDown === "closed" && !this.#options.revocations.isCurrent) {
      throw refused(503, "Nobody can say who was logged out. Try again in a moment.");
    }
    return this.#count(call, "identity", identity.claims.sub);
  }

  #goOnUnknown(call: Call): Promise<void> | undefined {
    const { destination, incoming, target, client } = call;
    if (!destination?.isPublic(incoming.method ?? "", target.path)) {
      return this.#refuseToken(
        call,
        new TokenError("This wants a token: log in, and send it as `Authorization: Bearer <token>`."),
      );
    }
    return this.#rules.exempt.has(client) ? undefined : this.#count(call, "address", client);
  }

  /** Who guesses tokens is counted too. */
  async #refuseToken(call: Call, error: Error): Promise<void> {
    if (error instanceof KeysAwayError) {
      throw refused(503, "The keys that tokens are checked with can't be had. Try again in a moment.");
    }
    if (!(error instanceof TokenError || error instanceof errors.JOSEError)) {
      throw error;
    }
    if (!this.#rules.exempt.has(call.client)) {
      await this.#count(call, "address", call.client);
    }
    throw refused(401, error instanceof TokenError ? error.message : "The token is not valid. Log in again.");
  }

  #count(call: Call, kind: Verdict["kind"], key: string): Promise<void> | undefined {
    const verdict = this.#rules.limits.count(kind, key);
    if (!(verdict instanceof Promise)) {
      return this.#obey(call, verdict);
    }
    return verdict.then(
      (given) => this.#obey(call, given),
      (error) => {
        throw error instanceof RateLimitAwayError
          ? refused(503, "Requests can't be counted just now. Try again in a moment.")
          : error;
      },
    );
  }

  #obey(call: Call, verdict: Verdict | undefined): undefined {
    call.verdict = verdict;
    if (verdict && !verdict.isAllowed) {
      metrics.limited.inc({ policy: verdict.kind });
      const { limit, windowSeconds, resetSeconds } = verdict;
      throw refused(
        429,
        `Only ${limit} requests pass in ${windowSeconds} s. Try again in ${resetSeconds} s.`,
        ["Retry-After", String(resetSeconds)],
      );
    }
    return undefined;
  }
}

function refused(status: number, detail: string, headers: readonly string[] = []): RefusedError {
  return new RefusedError({ status, detail, headers });
}
