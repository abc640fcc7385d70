/** The first part of a repository's name where it can only be a registry's host: `lscr.io` of `lscr.io/linuxserver/nginx`. */
export function hostInName(name: string): string | undefined {
  const slash = name.indexOf('/');
  if (slash < 0) return undefined;
  const first = name.slice(0, slash);
  return first === 'localhost' || /[.:]/.test(first) ? first : undefined;
}

/** What is said where no rule leads to a name: by its host, where it names one. */
export function noRuleText(name: string): string {
  const host = hostInName(name);
  return host === undefined ? 'no rule leads to this repository' : noRuleForHost(host);
}

/** The same of a host that a mirror asks for, or that a name begins with. */
export function noRuleForHost(host: string): string {
  return `no rule for ${host.slice(0, 255)}; breakwater rules ls`;
}
