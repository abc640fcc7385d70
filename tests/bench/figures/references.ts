import { createImageMapping } from '../../../src/domain/image-rewrite.ts';
import { builtinRules } from '../../../src/domain/rules/builtin-rules.ts';
import { referenceTable, rewrittenHere } from '../../support/samples/reference-table.ts';
import { reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';

/** Texts that become what distribution's reading of them says, or stay where they are no image names or of no known host. */
export const references: Figure = {
  name: 'references',
  async measure() {
    const registryHost = 'registry.example.com';
    const mapping = createImageMapping({ registryHost, rules: builtinRules });
    const right = referenceTable.filter((line) => {
      const found = mapping.rewrite(line.text);
      const becomes = found.kind === 'rewritten' ? found.image : undefined;
      return becomes === rewrittenHere(line, registryHost);
    }).length;
    const row: Row = {
      title: `References handled right, of ${referenceTable.length}`,
      unit: 'references',
      readings: [reading('breakwater', [right])],
      ratios: [{ what: 'breakwater', value: right, goal: { atLeast: referenceTable.length } }],
      notes: ['the webhook ecr-pull-through, by its source: 4 wrong of 13 common ones'],
    };
    return [row];
  },
};
