/** Where a request wants to go. */
export interface RequestTarget {
  /** Without the query. */
  path: string;
  /** Path and query, to hand on. */
  pathAndQuery: string;
  /** Of a target in absolute form. */
  authority?: string;
}

/**
 * `.` and `..` as segments, also percent-encoded, and between encoded slashes: whether they are resolved before or after a rule is
 * applied is anyone's guess.
 */
const dotSegment = /(^|\/|%2f)(\.|%2e){1,2}(\/|%2f|$)/i;
/** What some server takes for something else than it stands for: a backslash for a slash, NUL for the end. */
const ambiguous = /\\|%5c|%00|#/i;

/**
 * Reads the target of a request (RFC 9112 §3.2): in origin form, or in absolute form, which a server must take.
 *
 * @returns `undefined` for one that could mean different things to this gateway and to a service
 */
export function readTarget(target: string): RequestTarget | undefined {
  if (target.charCodeAt(0) === 47) {
    return checked(target, undefined);
  }
  const absolute = /^https?:\/\/([a-z0-9.:[\]-]+)(\/.*|\?.*)?$/i.exec(target);
  if (!absolute) {
    return undefined;
  }
  const [, authority, rest = "/"] = absolute;
  return checked(rest.startsWith("?") ? `/${rest}` : rest, authority);
}

function checked(pathAndQuery: string, authority: string | undefined): RequestTarget | undefined {
  const query = pathAndQuery.indexOf("?");
  const path = query < 0 ? pathAndQuery : pathAndQuery.slice(0, query);
  if (dotSegment.test(path) || ambiguous.test(path)) {
    return undefined;
  }
  return authority === undefined ? { path, pathAndQuery } : { path, pathAndQuery, authority };
}
