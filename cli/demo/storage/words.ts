import type { Result } from "./question.ts";

/** Which of two took longer and by how much, or that the runs don't tell: their middle halves overlap. */
export function compare(one: Result, other: Result): string {
  const [fast, slow] = one.medianMs <= other.medianMs ? [one, other] : [other, one];
  if (fast.quartilesMs[1] >= slow.quartilesMs[0]) {
    return `${one.name} and ${other.name} took about as long (${inMs(one.medianMs)} and ${inMs(other.medianMs)})`;
  }
  return `${slow.name} took ${times(slow.medianMs / fast.medianMs)} as long as ${fast.name} (${inMs(slow.medianMs)} against ${inMs(fast.medianMs)})`;
}

/** Milliseconds with two or three digits that say something. */
export function inMs(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 1 : 0)} times`;
}

const shownLetters = 110;

/** An answer in a line; of a long list its beginning and its length. */
export function short(answer: unknown): string {
  const text = JSON.stringify(answer) ?? "nothing";
  if (text.length <= shownLetters) {
    return text;
  }
  const count = Array.isArray(answer) ? ` (${answer.length} in all)` : "";
  return `${text.slice(0, shownLetters)} …${count}`;
}
