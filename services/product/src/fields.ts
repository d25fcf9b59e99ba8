/** A name that MongoDB would read as an operator or a path has no place in a document, nor one that JavaScript gives a meaning. */
const name = /^(?!__proto__$)[A-Za-z_][\w-]{0,63}$/;

const maxTextLength = 5000;
const maxListLength = 500;

/** What `problemWith` wants of all that is in a document, for people to read. */
export const limits =
  `Names of fields have at most 64 characters: letters, digits, _ and -; ` +
  `texts have at most ${maxTextLength} characters, lists at most ${maxListLength} items and no lists in them.`;

/**
 * Why a document can't be kept, or `undefined` when it can. Whatever a product or student is like, it must be of what every
 * server of documents can keep.
 */
export function problemWith(document: Record<string, unknown>): string | undefined {
  for (const [field, value] of Object.entries(document)) {
    if (!name.test(field)) {
      return "Names of fields are letters, digits, _ and -, and begin with a letter or _.";
    }
    const problem = problemWithValue(value);
    if (problem) {
      return problem;
    }
  }
  return undefined;
}

function problemWithValue(value: unknown): string | undefined {
  if (typeof value === "string" && value.length > maxTextLength) {
    return `A text has at most ${maxTextLength} characters.`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return "A number is too large.";
  }
  if (!Array.isArray(value)) {
    return typeof value === "object" && value !== null
      ? problemWith(value as Record<string, unknown>)
      : undefined;
  }
  if (value.length > maxListLength) {
    return `A list has at most ${maxListLength} items.`;
  }
  // The embedded stand-in can't keep them.
  if (value.some(Array.isArray)) {
    return "A list can't hold lists.";
  }
  return value.map(problemWithValue).find((problem) => problem !== undefined);
}
