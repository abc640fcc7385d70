import type { Node, Scalar } from 'yaml';
import { Document, isMap, isScalar, isSeq } from 'yaml';
import type { LoadedConfig } from './load.ts';

/**
 * What is in force, as YAML that loads as the same again; behind each value where it came from. Secrets are in none of it:
 * rules name their credential, and nothing else holds one.
 */
export function printConfig(loaded: LoadedConfig): string {
  const { config, settings } = loaded;
  const rules = settings.rules.map(
    ({ prefix, upstream, mirrors, upstreamPrefix, credential, anonymousPull, ...rest }, index) => ({
      prefix,
      upstream,
      mirrors,
      upstreamPrefix,
      credential,
      anonymousPull: anonymousPull ?? config.rules[index]?.anonymousPull ?? true,
      ...rest,
    }),
  );
  const document = new Document({ ...settings, rules });
  annotate(document.contents, [], loaded);
  const builtins = config.rules
    .filter(({ origin }) => origin === 'builtin')
    .map(({ prefix }) => prefix);
  if (builtins.length > 0) document.comment = ` built-in rules: ${builtins.join(', ')}`;
  return document.toString({ lineWidth: 0 });
}

function annotate(node: Node | null, path: readonly PropertyKey[], loaded: LoadedConfig): void {
  if (isMap<Scalar, Node>(node)) {
    for (const { key, value } of node.items) annotate(value, [...path, String(key.value)], loaded);
    return;
  }
  if (isSeq<Node>(node)) {
    if (node.items.length > 0 && !node.items.every((item) => isScalar(item))) {
      for (const [index, item] of node.items.entries()) annotate(item, [...path, index], loaded);
      return;
    }
    node.flow = true;
  }
  if (node !== null) node.comment = ` ${loaded.sourceOf(path)}`;
}
