/** The host that Docker Hub's images are named by; every spelling of it becomes this one. */
export const dockerHub = 'docker.io';

/** One registry under several names (ARCHITECTURE.md, "Rules and names"). */
const identical: ReadonlyMap<string, string> = new Map([
  ['index.docker.io', dockerHub],
  ['registry-1.docker.io', dockerHub],
  ['registry.hub.docker.com', dockerHub],
]);

/** Frozen hosts and the one that holds their content now; asked only where no rule stands for the host itself. */
const successors: ReadonlyMap<string, string> = new Map([['k8s.gcr.io', 'registry.k8s.io']]);

/** A host as rules are looked up by it: lower case, without https's own port, Docker Hub under one name. */
export function normalizeHost(host: string): string {
  const lower = host.toLowerCase();
  const bare = lower.endsWith(':443') ? lower.slice(0, -4) : lower;
  return identical.get(bare) ?? bare;
}

/** `registry.k8s.io` for `k8s.gcr.io`; `undefined` for hosts that nothing followed. Takes a normalized host. */
export function successorOf(host: string): string | undefined {
  return successors.get(host);
}

/** Every name of the registry that a normalized host names, that host first: `docker.io`, `index.docker.io`, … */
export function spellingsOf(host: string): readonly string[] {
  return [host, ...[...identical].filter(([, same]) => same === host).map(([name]) => name)];
}

/** Frozen hosts whose content a normalized host holds now: `k8s.gcr.io` of `registry.k8s.io`. */
export function predecessorsOf(host: string): readonly string[] {
  return [...successors].filter(([, successor]) => successor === host).map(([name]) => name);
}
