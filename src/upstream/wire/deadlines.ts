/** Milliseconds (ARCHITECTURE.md, "Numbers and statuses"). `connect` covers DNS and TLS. */
export const deadlinesMs = {
  dns: 2000,
  connect: 5000,
  firstByte: 10_000,
  blobFirstByte: 30_000,
  /** Of a blob that a client waits for, until a connection to its host comes free: 60 to 120 s. */
  laneStep: 60_000,
  idle: 30_000,
  /** A manifest, a page of tags or of referrers, from the first step to the last byte. */
  whole: 30_000,
  wholeToken: 15_000,
  errorBody: 5000,
} as const;
