/**
 * Takes all steps of a clean-up, one after another: a step that fails keeps none of the others from being taken.
 *
 * @throws what the first step that failed has thrown, after the last
 */
export async function cleanUp(steps: ReadonlyArray<() => Promise<unknown>>): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    await step().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) {
    throw failures[0];
  }
}
