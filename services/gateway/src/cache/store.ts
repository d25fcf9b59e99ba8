import type { IncomingHttpHeaders } from "node:http";
import type CachePolicy from "http-cache-semantics";
import { LRUCache } from "lru-cache";

/** A request as the rules of caching see it. */
export interface CacheRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
}

/** How an answer may be kept. */
export interface Keeping {
  policy: CachePolicy;
  /** Whether it may be given to somebody who sends a token: only with `Cache-Control: public`. */
  isPublic: boolean;
  /** Whether it could be given to others as it came. Otherwise it only stands in, or spares an instance sending it again. */
  isReusable: boolean;
  vary: string | undefined;
  /** What the policy keeps of the request, in bytes. */
  requestBytes: number;
}

/** An answer that is kept. */
export interface Entry extends Keeping {
  status: number;
  statusText: string;
  /** Names and values in turn. */
  headers: string[];
  body: Buffer;
}

/** What is known of a URL. */
interface Known {
  /** Which headers its answers vary by; `undefined` where none is kept. */
  vary: readonly string[] | undefined;
  /** Whether its last answer was. */
  isReusable: boolean;
}

/** What the memory of an entry costs besides what is counted, about. */
const entryOverheadBytes = 1024;
/** The same of what is known of a URL. */
const urlOverheadBytes = 256;
/** The part of the memory for what is known of URLs. Callers choose these. */
const urlShare = 1 / 8;

/**
 * Answers by their request (RFC 9111), the least used ones dropped when they are too large together. Answers that vary by headers
 * of the request are kept side by side.
 */
export class CacheStore {
  readonly #entries: LRUCache<string, Entry>;
  readonly #urls: LRUCache<string, Known>;

  /** @param maxBytes of all that is kept; 0 keeps nothing */
  constructor(maxBytes: number) {
    const urlBytes = Math.floor(maxBytes * urlShare);
    this.#entries = new LRUCache({
      maxSize: Math.max(1, maxBytes - urlBytes),
      sizeCalculation: bytesOfEntry,
    });
    this.#urls = new LRUCache({ maxSize: Math.max(1, urlBytes), sizeCalculation: bytesOfUrl });
  }

  get bytes(): number {
    return this.#entries.calculatedSize + this.#urls.calculatedSize;
  }

  find(request: CacheRequest): Entry | undefined {
    const vary = this.#urls.get(request.url)?.vary;
    return vary && this.#entries.get(keyOf(request, vary));
  }

  /** Whether one answer may do for all who want a URL at once: the last one would have done, or none is known. */
  isReusable(url: string): boolean {
    const known = this.#urls.get(url);
    // Where nothing of an answer could be noted, each would be the first.
    return known ? known.isReusable : bytesOfUrl(noneKept, url) <= this.#urls.maxSize;
  }

  keep(request: CacheRequest, entry: Entry): void {
    const vary = namesIn(entry.vary);
    this.#urls.set(request.url, { vary, isReusable: entry.isReusable });
    this.#entries.set(keyOf(request, vary), entry);
  }

  /** Notes that one answer does not do for all who want a URL; what is kept of it stays. */
  markForOne(url: string): void {
    this.#urls.set(url, { vary: this.#urls.get(url)?.vary, isReusable: false });
  }

  /** Notes that the last answer of a URL was not to be kept. */
  markHopeless(url: string): void {
    this.#urls.set(url, noneKept);
  }

  /** Notes that a URL had no answer that says anything, where none before did. */
  markTried(url: string): void {
    if (!this.#urls.has(url)) {
      this.markHopeless(url);
    }
  }

  /** Forgets all answers of a URL, since something there has changed (RFC 9111 §4.4). */
  forget(url: string): void {
    const known = this.#urls.get(url);
    if (known) {
      // The entries themselves are found by nobody any more, and are dropped in their turn.
      this.#urls.set(url, { vary: undefined, isReusable: known.isReusable });
    }
  }
}

const noneKept: Known = { vary: undefined, isReusable: false };

/** The names in a `Vary` header, each time in the same order. */
export function namesIn(vary: string | undefined): string[] {
  return vary === undefined
    ? []
    : vary
        .split(",")
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== "")
        .sort();
}

function keyOf({ url, headers }: CacheRequest, names: readonly string[]): string {
  return names.length === 0 ? url : JSON.stringify([url, ...names.map((name) => headers[name] ?? null)]);
}

function bytesOfEntry({ body, headers, requestBytes }: Entry, key: string): number {
  return entryOverheadBytes + key.length + requestBytes + body.length + headers.join("").length;
}

function bytesOfUrl({ vary = [] }: Known, url: string): number {
  return urlOverheadBytes + url.length + vary.join("").length;
}
