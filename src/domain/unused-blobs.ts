/** How often blobs are looked through for those that no repository holds. */
export const unusedBlobsEveryMs: number = 3_600_000;

/** What no repository holds is off the disk by then: one look retires it, the next one deletes it. */
export const unusedBlobsGoneAfterMs: number = 2 * unusedBlobsEveryMs;
