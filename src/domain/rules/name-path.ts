/** What a name has below a prefix, in whole parts; the name itself below an empty one. `undefined`: it is not below it, as the prefix itself is not. */
export function underPrefix(prefix: string, name: string): string | undefined {
  if (prefix === '') return name;
  return name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1) : undefined;
}

/** Either may be empty, and then adds no slash. */
export function joinNames(prefix: string, rest: string): string {
  return prefix === '' || rest === '' ? prefix + rest : `${prefix}/${rest}`;
}
