import type { StoreName } from "../../outputs.ts";
import type { Stores } from "./stores.ts";

export type Model = "relational" | "document" | "key-value" | "wide-column" | "graph";

/** A question that a storage model answers best, or badly, and how it is put to two or more stores. */
export interface Question<Key extends string = string> {
  model: Model;
  side: "best" | "badly";
  text: string;
  asks: Record<Key, Ask>;
  /** One sentence of what the measurement shows; whatever it compares is computed. */
  lesson(results: Record<Key, Result>): string;
}

/** One way to put a question to one store. */
export interface Ask {
  store: StoreName;
  /** Tells it from other ways to ask the same store. */
  way?: string;
  /** What is sent, as the document shows it; lines that begin with `--`, `//` or `#` are the client's part. */
  statement: string;
  run(stores: Stores): Promise<Outcome>;
  /** Makes another run possible; not measured. */
  undo?(stores: Stores): Promise<unknown>;
  /** How the server goes about it, where it tells. */
  plan?(stores: Stores): Promise<string[]>;
  /** Whether the store may refuse it; that is the answer then. */
  mayRefuse?: boolean;
}

export interface Outcome {
  /** The same for all stores. */
  answer: unknown;
  /** How often the client had to wait for the server. */
  requests: number;
}

/** What became of an {@link Ask}. */
export interface Result {
  store: StoreName;
  /** The server, and the way if there are several. */
  name: string;
  statement: string;
  plan: string[];
  /** Why the store refused. Nothing is measured then. */
  refused?: string;
  answer?: unknown;
  requests: number;
  /** Of the measured runs: median, and first and third quartile. */
  medianMs: number;
  quartilesMs: [number, number];
  runs: number;
}

/** Keeps the keys of the asks for the lesson, and forgets them for everybody else. */
export function question<Key extends string>(item: Question<Key>): Question {
  return item;
}
