import type { Fate } from './evaluator.ts';
import type { LifecycleImage } from './image.ts';
import type { LifecycleRule } from './policy.ts';

/** Why an image goes or stays, as an operator reads it; without a full stop. */
export function fateWords(fate: Fate<LifecycleImage>): string {
  switch (fate.kind) {
    case 'actedOn': {
      const with_ =
        fate.subject === undefined ? '' : ` with what it refers to, ${fate.subject.digest}`;
      return `rule ${fate.rule.priority} ${verbOf(fate.rule)} it${with_}`;
    }
    case 'held':
      return `rule ${fate.rule.priority} selects it, but ${fate.by.digest} remains, which it belongs to`;
    case 'withSubject':
      return `it refers to ${fate.subject.digest}, and goes when that goes`;
    case 'noRule':
      return 'no rule is about images with its tags';
    case 'withinCount':
      return `rule ${fate.rule.priority} keeps the ${fate.rule.countNumber} youngest, and it is number ${fate.place}${shieldWords(fate)}`;
    case 'tooYoung':
      return `rule ${fate.rule.priority} selects it after ${new Date(fate.at).toISOString()}${shieldWords(fate)}`;
  }
}

function verbOf({ action }: LifecycleRule): string {
  return action === 'expire' ? 'expires' : 'archives';
}

function shieldWords({
  rule,
  shieldedFrom,
}: {
  readonly rule: LifecycleRule;
  readonly shieldedFrom: LifecycleRule | undefined;
}): string {
  if (shieldedFrom === undefined) return '';
  return `; rule ${shieldedFrom.priority} would act on it, but what meets the tags of rule ${rule.priority} is that rule's alone`;
}
