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

/** An answer that is kept. */
export interface Entry {
  policy: CachePolicy;
  status: number;
  statusText: string;
  /** Names and values in turn. */
  headers: string[];
  body: Buffer;
  /** Whether it may be given to somebody who sends a token: only with `Cache-Control: public`. */
  isPublic: boolean;
}

/** What the memory of an entry costs besides its body and headers, about. */
const overheadBytes = 1024;
const maxUrls = 20_000;

/**
 * Answers by their request (RFC 9111), the least used ones dropped when they are too large together. Answers that vary by headers
 * of the request are kept side by side.
 */
export class CacheStore {
  readonly #entries: LRUCache<string, Entry>;
  /** Which headers the answers of a URL vary by; `undefined` in it for a URL whose answers are not to be kept. */
  readonly #urls = new LRUCache<string, { vary: string[] | undefined }>({ max: maxUrls });

  /** @param maxBytes of all entries; 0 keeps nothing */
  constructor(maxBytes: number) {
    this.#entries = new LRUCache({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: ({ body, headers }) => overheadBytes + body.length + headers.join("").length,
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  find(request: CacheRequest): Entry | undefined {
    const vary = this.#urls.get(request.url)?.vary;
    return vary && this.#entries.get(keyOf(request, vary));
  }

  /** Whether the last answer of a URL was not to be kept. */
  isHopeless(url: string): boolean {
    const known = this.#urls.get(url);
    return known !== undefined && known.vary === undefined;
  }

  keep(request: CacheRequest, entry: Entry, vary: string | undefined): void {
    const names = namesIn(vary);
    this.#urls.set(request.url, { vary: names });
    this.#entries.set(keyOf(request, names), entry);
  }

  markHopeless(url: string): void {
    this.#urls.set(url, { vary: undefined });
  }

  /** Forgets all answers of a URL, since something there has changed (RFC 9111 §4.4). */
  forget(url: string): void {
    // The entries themselves are found by nobody any more, and are dropped in their turn.
    this.#urls.delete(url);
  }
}

function namesIn(vary: string | undefined): string[] {
  return (vary ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "")
    .sort();
}

function keyOf({ url, headers }: CacheRequest, names: readonly string[]): string {
  return names.length === 0 ? url : JSON.stringify([url, ...names.map((name) => headers[name] ?? null)]);
}
