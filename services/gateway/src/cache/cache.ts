import type { Failure, Sink } from "../proxy/sink.ts";
import { evaluate, hasAlready, keepingOf, mayReplaceError, revalidated } from "./rules.ts";
import { type CacheRequest, CacheStore, type Entry, type Keeping } from "./store.ts";

/** What the cache did: `miss` and `pass` (not to be kept) went to an instance. */
export type CacheResult = "hit" | "stale" | "revalidated" | "coalesced" | "miss" | "pass";

export interface CacheOptions {
  maxBytes: number;
  /** A larger answer passes, and is not kept. */
  maxEntryBytes: number;
}

/** A request that the cache may answer. */
export interface Ask {
  request: CacheRequest;
  /** Whether it says who has sent it. */
  hasToken: boolean;
  caller: Sink;
  /** Asks an instance. @param validators replace the caller's own conditions */
  send(sink: Sink, validators?: Record<string, string>): void;
  /** The same for nobody: it goes on when the caller has been answered, or has gone. */
  refresh(sink: Sink, validators: Record<string, string>): void;
  onResult(result: CacheResult): void;
}

/**
 * Answers requests for what is kept, and keeps what may be kept (RFC 9111, RFC 5861). Requests at once for the same thing wait
 * for one answer, where the last one would have done for all of them, or this is the first.
 */
export class Cache {
  readonly #store: CacheStore;
  readonly #maxEntryBytes: number;
  /** Who waits for an answer that is on its way, by URL. */
  readonly #waiting = new Map<string, Array<() => void>>();
  readonly #refreshing = new Set<string>();

  constructor({ maxBytes, maxEntryBytes }: CacheOptions) {
    this.#store = new CacheStore(maxBytes);
    this.#maxEntryBytes = Math.min(maxBytes, maxEntryBytes);
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  forget(url: string): void {
    this.#store.forget(url);
  }

  answer(ask: Ask): void {
    const { request, hasToken } = ask;
    const { url } = request;
    if (this.#answerFromStore(ask, "hit")) {
      return;
    }
    if (hasToken || !this.#store.isReusable(url)) {
      // Nobody waits for what is good for one alone, as what somebody with a token gets mostly is.
      this.#fetch(ask, undefined);
      return;
    }
    const waiting = this.#waiting.get(url);
    if (!waiting) {
      this.#waiting.set(url, []);
      this.#fetch(ask, () => this.#release(url));
      return;
    }
    waiting.push(() => {
      if (!this.#answerFromStore(ask, "coalesced")) {
        this.#fetch(ask, undefined);
      }
    });
  }

  /** What is kept for whoever asks, as old as it may be. */
  #entryFor({ request, hasToken }: Ask): Entry | undefined {
    const entry = this.#store.find(request);
    return entry && (entry.isPublic || !hasToken) ? entry : undefined;
  }

  /** @returns false when an instance has to be asked first */
  #answerFromStore(ask: Ask, result: CacheResult): boolean {
    const { request, caller, refresh, onResult } = ask;
    const entry = this.#entryFor(ask);
    if (!entry) {
      return false;
    }
    const { isUsable, validators } = evaluate(entry, request);
    if (!isUsable) {
      return false;
    }
    onResult(validators ? "stale" : result);
    serve(entry, request, caller, validators ? "hit; detail=stale-while-revalidate" : "hit");
    if (validators && !this.#refreshing.has(request.url)) {
      this.#refreshing.add(request.url);
      const done = () => this.#refreshing.delete(request.url);
      const quiet = { ...ask, caller: new NobodySink(done), onResult() {} };
      refresh(new RevalidatingSink(this, quiet, entry, undefined), validators);
    }
    return true;
  }

  /** @param onSettled called once: there is something new in the store, or there will not be */
  #fetch(ask: Ask, onSettled: (() => void) | undefined): void {
    const entry = this.#entryFor(ask);
    if (entry) {
      ask.send(new RevalidatingSink(this, ask, entry, onSettled), evaluate(entry, ask.request).validators);
    } else {
      ask.send(new KeepingSink(this, ask, onSettled));
    }
  }

  #release(url: string): void {
    const waiting = this.#waiting.get(url) ?? [];
    this.#waiting.delete(url);
    // Those who come now would wait for an instance that hangs again.
    this.#store.markTried(url);
    for (const go of waiting) {
      go();
    }
  }

  /** For the sinks: how an answer may be kept, and where. */
  keepingOf(ask: Ask, status: number, statusText: string, headers: string[]): Keeping | undefined {
    const keeping = keepingOf(ask.request, { status, statusText, headers }, ask.hasToken);
    const { url } = ask.request;
    if (keeping && !keeping.isReusable && this.#store.isReusable(url)) {
      this.#store.markForOne(url);
    } else if (!keeping && !ask.hasToken && status < 500) {
      this.#store.markHopeless(url);
    }
    return keeping;
  }

  /** For the sinks: whether so much of an answer is still to be kept. */
  takes(url: string, bytes: number): boolean {
    const isTaken = bytes <= this.#maxEntryBytes;
    if (!isTaken) {
      this.#store.markForOne(url);
    }
    return isTaken;
  }

  keep(request: CacheRequest, entry: Entry): void {
    this.#store.keep(request, entry);
  }
}

/** Hands an answer on, and keeps it where that is allowed. */
class KeepingSink implements Sink {
  readonly #cache: Cache;
  readonly #ask: Ask;
  #onSettled: (() => void) | undefined;
  #keeping: Keeping | undefined;
  #head: { status: number; statusText: string; headers: string[] } | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param onSettled called once: it is kept, or is of no use to others */
  constructor(cache: Cache, ask: Ask, onSettled: (() => void) | undefined) {
    this.#cache = cache;
    this.#ask = ask;
    this.#onSettled = onSettled;
  }

  head(status: number, statusText: string, headers: string[]): void {
    this.#keeping = this.#cache.keepingOf(this.#ask, status, statusText, headers);
    this.#ask.onResult(this.#keeping ? "miss" : "pass");
    if (this.#keeping) {
      this.#head = { status, statusText, headers: [...headers] };
      headers.push("Cache-Status", "gateway; fwd=miss; stored");
    }
    if (!this.#keeping?.isReusable) {
      this.#settle();
    }
    this.#ask.caller.head(status, statusText, headers);
  }

  data(chunk: Buffer, resume: () => void): boolean {
    if (this.#keeping) {
      this.#bytes += chunk.length;
      this.#chunks.push(chunk);
      if (!this.#cache.takes(this.#ask.request.url, this.#bytes)) {
        this.#drop();
      }
    }
    return this.#ask.caller.data(chunk, resume);
  }

  end(trailers: Record<string, string | string[] | undefined>): void {
    if (this.#keeping && this.#head) {
      const body = Buffer.concat(this.#chunks);
      this.#cache.keep(this.#ask.request, { ...this.#head, ...this.#keeping, body });
    }
    this.#ask.caller.end(trailers);
    this.#drop();
  }

  unanswered(failure: Failure): void {
    this.#ask.caller.unanswered(failure);
    this.#drop();
  }

  broken(): void {
    this.#ask.caller.broken();
    this.#drop();
  }

  #drop(): void {
    this.#chunks = [];
    this.#keeping = undefined;
    this.#settle();
  }

  #settle(): void {
    const settled = this.#onSettled;
    this.#onSettled = undefined;
    settled?.();
  }
}

/** Asks whether what is kept is still right, and gives it out if so, or if nobody can say and it may stand in. */
class RevalidatingSink implements Sink {
  readonly #cache: Cache;
  readonly #ask: Ask;
  readonly #entry: Entry;
  readonly #onSettled: (() => void) | undefined;
  /** Takes an answer that is new. */
  #next: Sink | undefined;
  #isServed = false;

  /** @param onSettled called once: the entry is good again, another one is kept, or none will be */
  constructor(cache: Cache, ask: Ask, entry: Entry, onSettled: (() => void) | undefined) {
    this.#cache = cache;
    this.#ask = ask;
    this.#entry = entry;
    this.#onSettled = onSettled;
  }

  head(status: number, statusText: string, headers: string[]): void {
    const { request, caller, onResult } = this.#ask;
    if (status === 304) {
      const entry = revalidated(this.#entry, request, { status, statusText, headers });
      this.#cache.keep(request, entry);
      this.#isServed = true;
      onResult("revalidated");
      serve(entry, request, caller, "fwd=stale; fwd-status=304");
      this.#onSettled?.();
      return;
    }
    if (status >= 500 && this.#standsIn()) {
      return;
    }
    this.#next = new KeepingSink(this.#cache, this.#ask, this.#onSettled);
    this.#next.head(status, statusText, headers);
  }

  data(chunk: Buffer, resume: () => void): boolean {
    return this.#isServed || (this.#next?.data(chunk, resume) ?? true);
  }

  end(trailers: Record<string, string | string[] | undefined>): void {
    this.#next?.end(trailers);
  }

  unanswered(failure: Failure): void {
    if (!this.#standsIn()) {
      this.#ask.caller.unanswered(failure);
      this.#onSettled?.();
    }
  }

  broken(): void {
    if (this.#next) {
      this.#next.broken();
    } else if (!this.#isServed) {
      this.#ask.caller.broken();
      this.#onSettled?.();
    }
  }

  #standsIn(): boolean {
    const { request, caller, onResult } = this.#ask;
    if (!mayReplaceError(this.#entry, request)) {
      return false;
    }
    this.#isServed = true;
    onResult("stale");
    serve(this.#entry, request, caller, "hit; detail=stale-if-error");
    this.#onSettled?.();
    return true;
  }
}

/** For an answer that is only to be kept. */
class NobodySink implements Sink {
  readonly #onSettled: () => void;

  constructor(onSettled: () => void) {
    this.#onSettled = onSettled;
  }

  head(): void {}

  data(): boolean {
    return true;
  }

  end(): void {
    this.#onSettled();
  }

  unanswered(): void {
    this.#onSettled();
  }

  broken(): void {
    this.#onSettled();
  }
}

/** Gives an entry out, with its age, and with what was done to have it (RFC 9211). */
function serve(entry: Entry, request: CacheRequest, caller: Sink, how: string): void {
  const own = ["Age", String(Math.round(entry.policy.age())), "Cache-Status", `gateway; ${how}`];
  const kept = without(entry.headers, "age");
  if (hasAlready(entry, request)) {
    caller.head(304, "Not Modified", [...without(kept, "content-length"), ...own]);
    caller.end({});
    return;
  }
  const headers = [...without(kept, "content-length"), "Content-Length", String(entry.body.length), ...own];
  caller.head(entry.status, entry.statusText, headers);
  caller.data(entry.body, () => undefined);
  caller.end({});
}

function without(headers: readonly string[], name: string): string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== name);
}
