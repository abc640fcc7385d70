/** Does the work for all items, so many at a time, and answers the results in the items' order. The first failure ends it: no further item is begun. */
export async function eachAtOnce<Item, Result>(
  items: readonly Item[],
  atOnceMax: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const left = items.entries();
  let failed = false;
  const run = async (): Promise<void> => {
    for (const [index, item] of left) {
      if (failed) return;
      results[index] = await work(item);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, run));
    return results;
  } catch (error) {
    failed = true;
    throw error;
  }
}
