/**
 * The value below which so much of a sample lies (nearest rank).
 *
 * @param share from 0 to 1, such as 0.99
 * @throws RangeError for an empty sample: it has no such value, and 0 would look like one
 */
export function percentile(sample: readonly number[], share: number): number {
  if (sample.length === 0) {
    throw new RangeError("There is nothing to take a percentile of.");
  }
  const sorted = sample.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/** The middle of a sample; of an even number the mean of the two in the middle. */
export function median(sample: readonly number[]): number {
  const sorted = sample.toSorted((one, other) => one - other);
  return (percentile(sorted, 0.5) + (sorted[Math.floor(sorted.length / 2)] as number)) / 2;
}
