/** A place's number and what is at it share the 53 bits of a number, which sorts faster than objects. */
const indexes = 2 ** 20;
const positions = 2 ** 32;
/** Bounds the memory; weights are scaled down to it. */
const maxLength = 2 ** 20;

/**
 * A round in which index `i` comes `weights[i]` times (over their common divisor). The `k`-th of its turns is at
 * `(k + phase) / weight` of the round, as in stride scheduling (Waldspurger and Weihl 1995); those of equal weight share a
 * phase from 0 to 1 among them, so that together they are as even as one of all their weight: 3:1 gives a a b a, and one of
 * weight 10 beside ten of weight 1 gives every second turn to it.
 */
export function smoothSchedule(weights: readonly number[]): Uint32Array<ArrayBuffer> {
  const shares = scaled(weights);
  const equals = Map.groupBy(shares.keys(), (index) => shares[index] as number);
  const turns = new Float64Array(shares.reduce((sum, share) => sum + share, 0));
  let filled = 0;
  for (const [share, members] of equals) {
    for (const [place, index] of members.entries()) {
      const phase = (place + 0.5) / members.length;
      for (let turn = 0; turn < share; turn++) {
        turns[filled] = Math.floor(((turn + phase) / share) * positions) * indexes + index;
        filled += 1;
      }
    }
  }
  return Uint32Array.from(turns.sort(), (turn) => turn % indexes);
}

/** Weights over their greatest common divisor, scaled down where a round would be too long. */
function scaled(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const sum = weights.reduce((total, weight) => total + weight / divisor, 0);
  const factor = Math.max(1, sum / maxLength);
  return weights.map((weight) => Math.max(1, Math.round(weight / divisor / factor)));
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
