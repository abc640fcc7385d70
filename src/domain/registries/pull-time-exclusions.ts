/** The name of the registry's setting that lists the ARNs of principals whose pulls leave pull times as they are. */
export const pullTimeExclusions = 'pullTimeExclusions';
