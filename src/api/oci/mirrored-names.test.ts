// An image names one repository here, whether a node asks for it as a mirror or it was rewritten before.
import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ruleFor, startPullServer } from '../../../tests/support/rigs/pull-server.ts';
import { isRead, referenceTable } from '../../../tests/support/samples/reference-table.ts';
import { createImageMapping } from '../../domain/image-rewrite.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import { builtinRules, overBuiltinRules } from '../../domain/rules/builtin-rules.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';

const registryHost = 'registry.example.com';
const ruleSets: Readonly<Record<string, readonly PullRule[]>> = {
  'the built-in rules': builtinRules,
  'rules of other names': overBuiltinRules([
    ruleFor('docker-hub', 'registry-1.docker.io'),
    ruleFor('github', 'ghcr.io'),
    ruleFor('k8s', 'registry.k8s.io'),
    ruleFor('foo.bar', 'host.io:5000'),
  ]),
};
const names = referenceTable.filter(isRead);

for (const [title, rules] of Object.entries(ruleSets))
  suite(`With ${title} one image is meant by`, () => {
    const mapping = createImageMapping({ registryHost, rules });
    for (const { text, named } of names)
      test(text.slice(0, 60), async () => {
        const { domain = '', path = '' } = named ?? {};
        const found = mapping.rewrite(text);
        const repository =
          found.kind === 'rewritten' ? parseImageName(found.image)?.repository : undefined;
        await using server = await startPullServer(rules);
        // As containerd asks: the name as distribution reads it, and its host beside it.
        const mirrored = await server.ask(
          `/v2/${path}/manifests/1?ns=${encodeURIComponent(domain)}`,
        );
        equal(mirrored.status, 404);
        deepEqual(
          server.cache.calls,
          repository === undefined ? [] : [`manifest GET ${repository} 1`],
        );
        if (repository === undefined) return;
        // What the rewritten image is asked by, as any client does.
        await server.ask(`/v2/${repository}/manifests/1`);
        equal(server.cache.calls.at(-1), `manifest GET ${repository} 1`);
      });
  });
