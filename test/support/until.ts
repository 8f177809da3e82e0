/**
 * Waits for something that another process, or the broker in the background, does. The test's own time-out is the
 * limit: a condition that never holds fails the test. A check that rejects does not hold yet.
 */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20))
}
