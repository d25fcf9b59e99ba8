import CachePolicy from "http-cache-semantics";
import { type CacheRequest, type Entry, type Keeping, namesIn } from "./store.ts";

/** An answer as the rules of caching see it. */
export interface CacheResponse {
  status: number;
  statusText: string;
  /** Names and values in turn. */
  headers: string[];
}

/** Said explicitly: nothing is kept only because its status could be (RFC 9111 §4.2.2 would allow that). */
const keepable = /(^|[\s,])(public|max-age|s-maxage)\b/i;
const saysPublic = /(^|[\s,])public\b/i;
const saysNoStore = /(^|[\s,])no-store\b/i;

/**
 * Whether an answer may be kept, for whom, and how long; `undefined` where it may not. A request with a token may leave an answer only where that says
 * `public`; one that sets a cookie is never kept (RFC 9111 §3.5 is less strict).
 */
export function keepingOf(
  request: CacheRequest,
  response: CacheResponse,
  hasToken: boolean,
): Keeping | undefined {
  const cacheControl = headerOf(response.headers, "cache-control");
  if (cacheControl === undefined || !keepable.test(cacheControl)) {
    return undefined;
  }
  const headers = headerObject(response.headers);
  const isPublic = saysPublic.test(cacheControl);
  if ((hasToken && !isPublic) || headers["set-cookie"] !== undefined || headers.vary === "*") {
    return undefined;
  }
  if (saysNoStore.test(request.headers["cache-control"] ?? "")) {
    return undefined;
  }
  const asked = rememberedOf(request, headers.vary);
  const policy = new CachePolicy(asked, { status: response.status, headers }, { shared: true });
  return policy.storable() ? { isPublic, vary: headers.vary, ...usesOf(policy, asked) } : undefined;
}

/** Whether an entry may be given to the sender of a request as it is, must be asked for again, or both. */
export function evaluate(
  entry: Entry,
  request: CacheRequest,
): { isUsable: boolean; validators: Record<string, string> | undefined } {
  const { response, revalidation } = entry.policy.evaluateRequest(withoutToken(request));
  return {
    isUsable: response !== undefined,
    validators: revalidation && validatorsIn(revalidation.headers),
  };
}

/** Whether an entry may stand in for an answer that can't be had (`stale-if-error`, RFC 5861 §4). */
export function mayReplaceError(entry: Entry, request: CacheRequest): boolean {
  const { matches, modified } = entry.policy.revalidatedPolicy(withoutToken(request), {
    status: 503,
    headers: {},
  });
  return matches && !modified;
}

/** The entry after an instance has said that it is still right (304). */
export function revalidated(entry: Entry, request: CacheRequest, response: CacheResponse): Entry {
  const news = headerObject(response.headers);
  const vary = entry.vary && (news.vary ?? entry.vary);
  const asked = rememberedOf(request, vary);
  const { policy } = entry.policy.revalidatedPolicy(asked, { status: response.status, headers: news });
  const headers = [...entry.headers];
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    if (!name.startsWith("content-") && news[name] !== undefined) {
      headers[index + 1] = news[name];
    }
  }
  return { ...entry, vary, headers, ...usesOf(policy, asked) };
}

/** Whether the sender of a request has the answer already (RFC 9110 §13.1.2). */
export function hasAlready(entry: Entry, { headers }: CacheRequest): boolean {
  const condition = headers["if-none-match"];
  const tag = headerOf(entry.headers, "etag");
  if (condition === undefined || tag === undefined) {
    return false;
  }
  const opaque = (text: string) => text.trim().replace(/^W\//, "");
  return condition === "*" || condition.split(",").some((other) => opaque(other) === opaque(tag));
}

/** The value of the first header of a name, which is in lower case. */
function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.length === name.length && headers[index]?.toLowerCase() === name) {
      return headers[index + 1];
    }
  }
  return undefined;
}

/** Header names and values in turn, as an object; several of a name are joined (RFC 9110 §5.3). */
function headerObject(headers: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    const value = headers[index + 1] as string;
    object[name] = object[name] === undefined ? value : `${object[name]}, ${value}`;
  }
  return object;
}

/** Whose token it is has been looked at by `keepingOf`, which is stricter than the library. */
function withoutToken({ method, url, headers }: CacheRequest): CachePolicy.HttpRequest {
  const { authorization: _, ...rest } = headers;
  return { method, url, headers: rest as Record<string, string> };
}

/**
 * What a policy needs of its request to know others of the kind, without the token too. It keeps all that it is given, and callers choose
 * how much that is.
 */
function rememberedOf(request: CacheRequest, vary: string | undefined): CachePolicy.HttpRequest {
  const { method, url, headers } = request;
  const kept: CachePolicy.Headers = { host: headers.host };
  for (const name of namesIn(vary)) {
    if (name !== "authorization" && headers[name] !== undefined) {
      kept[name] = headers[name];
    }
  }
  return { method, url, headers: kept };
}

function usesOf(
  policy: CachePolicy,
  asked: CachePolicy.HttpRequest,
): Pick<Keeping, "policy" | "isReusable" | "requestBytes"> {
  return {
    policy,
    isReusable: policy.evaluateRequest(asked).response !== undefined,
    requestBytes: JSON.stringify(asked).length,
  };
}

/** The conditions that an entry's own validators make; the sender's would say something about another answer. */
function validatorsIn(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const own = String(headers["if-none-match"] ?? "")
    .split(",")
    .at(-1)
    ?.trim();
  const since = headers["if-modified-since"];
  return {
    ...(own ? { "if-none-match": own } : {}),
    ...(since === undefined ? {} : { "if-modified-since": String(since) }),
  };
}
