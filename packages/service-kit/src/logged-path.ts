/** What begins a part of a path that lets in whoever knows it: an anonymous cart's name, an erasure's number. */
const keysInPath = /(\banon-|\/erasures\/)[^/]+/gi;

/** Without the costs of a replacement, for the many paths that hold none. */
const mayHoldKey = /anon-|\/erasures\//i;

/** A path as it may be logged: without what would let a reader of the log in. */
export function loggedPath(path: string): string {
  return mayHoldKey.test(path) ? path.replaceAll(keysInPath, "$1…") : path;
}
