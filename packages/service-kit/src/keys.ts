import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from "jose";

/** The keys can't be had, so that nobody can say whether a token is good. */
export class KeysAwayError extends Error {
  override name = "KeysAwayError";
}

/** How long fetched keys are used before they are asked for again. */
const keysMaxAgeMs = 600_000;
/** How often a token of an unknown key may cause a fetch. The user service signs with no key that is younger than that. */
const keysCooldownMs = 1000;
const keysTimeoutMs = 2000;
/** How long after a fetch that has failed tokens of known keys don't wait for another. */
const keysRetryMs = 5000;

/**
 * The keys that are published at a URL (RFC 7517); the last ones stay in use while new ones can't be fetched.
 *
 * @param fetchKeys fetches them, where not with `fetch`
 * @returns for `jwtVerify`; throws KeysAwayError when there are none
 */
export function keysFrom(url: URL, fetchKeys?: FetchImplementation): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, {
    ...(fetchKeys && { [customFetch]: fetchKeys }),
    cacheMaxAge: keysMaxAgeMs,
    cooldownDuration: keysCooldownMs,
    timeoutDuration: keysTimeoutMs,
  });
  let failedMs = Number.NEGATIVE_INFINITY;
  const lastKeyFor = async (...[header, token]: Parameters<JWTVerifyGetKey>) => {
    const last = remote.jwks();
    return last && (await createLocalJWKSet(last)(header, token).catch(() => undefined));
  };
  return async (header, token) => {
    const isPaused = performance.now() - failedMs < keysRetryMs;
    const known = isPaused ? await lastKeyFor(header, token) : undefined;
    if (known) {
      return known;
    }
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAboutTheToken(error)) {
        throw error;
      }
      failedMs = performance.now();
      const key = await lastKeyFor(header, token);
      if (!key) {
        throw new KeysAwayError("no key", { cause: error });
      }
      return key;
    }
  };
}

/** Whether there are keys, and the token's is not among them. */
function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
