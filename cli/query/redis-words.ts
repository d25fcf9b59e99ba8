import { StatementError } from "./session.ts";

/**
 * Splits a Redis command into its words, as `redis-cli` does: `"…"` with `\n`-like escapes, `'…'` as it stands.
 *
 * @throws StatementError when there is no word, or a quote is left open
 */
export function wordsOf(statement: string): string[] {
  const words: string[] = [];
  const rest = statement.trim();
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/y;
  while (word.lastIndex < rest.length) {
    const found = word.exec(rest);
    if (!found) {
      throw new StatementError(
        "A quote is open, or stands within a word.",
        "Write \"…\" or '…' around a whole word.",
      );
    }
    const [, double, single, bare] = found;
    words.push(
      double === undefined ? (single?.replaceAll("\\'", "'") ?? (bare as string)) : withoutEscapes(double),
    );
  }
  if (words.length === 0) {
    throw new StatementError("There is no command.", "Give one such as GET user:101.");
  }
  return words;
}

const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t" };

function withoutEscapes(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}
