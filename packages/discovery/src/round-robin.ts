/** Gives the next of a list that may change between two calls, each in turn; `undefined` for an empty one. */
export function roundRobin<T>(): (items: readonly T[]) => T | undefined {
  let turn = 0;
  return (items) => {
    const item = items[turn % items.length];
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    return item;
  };
}
