import type { Filter } from "mongodb";

/** A field of a document, perhaps inside another: `color`, `size.eu`. It can't be one of MongoDB's operators. */
const field = /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/;

/** How long the name of a filter may be. */
export const maxNameLength = 200;

/** A query parameter that names no field. */
export class FilterError extends Error {
  override name = "FilterError";
}

/**
 * The filter for parameters such as `color=red&weight=2`. A parameter is text, but the field may hold a number or a boolean:
 * each that the text can mean matches.
 *
 * @throws FilterError for a name that is not a field's
 */
export function filterOf<T>(parameters: Record<string, string>): Filter<T> {
  const conditions = Object.entries(parameters).map(([name, text]) => {
    if (name.length > maxNameLength || !field.test(name)) {
      throw new FilterError(`${name.slice(0, maxNameLength)} is not the name of a field.`);
    }
    return [name, { $in: meaningsOf(text) }];
  });
  return Object.fromEntries(conditions);
}

function meaningsOf(text: string): Array<string | number | boolean> {
  const meanings: Array<string | number | boolean> = [text];
  if (text.trim() !== "" && Number.isFinite(Number(text))) {
    meanings.push(Number(text));
  }
  if (text === "true" || text === "false") {
    meanings.push(text === "true");
  }
  return meanings;
}
