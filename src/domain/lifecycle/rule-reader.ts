import { own } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { shortened } from '../policy/problem.ts';
import type { CountType, LifecycleRule, StorageClass, TagRequirement } from './policy.ts';
import {
  noForm,
  readArray,
  readEnum,
  readInteger,
  readObject,
  readString,
} from './schema-words.ts';
import type { Report } from './schema-words.ts';

export interface GrammarOptions {
  /** Whether `sinceImagePulled` may expire; ECR lets it archive alone. */
  readonly expireByPull: boolean;
}

/** As many `*` as an entry of `tagPatternList` may hold. */
const starsMax = 4;

/** What is archived stays so for at least this long. */
const archiveDaysMin = 90;

const countTypes = [
  'imageCountMoreThan',
  'sinceImagePulled',
  'sinceImagePushed',
  'sinceImageTransitioned',
] as const satisfies readonly CountType[];

const ruleKeys = {
  required: ['rulePriority', 'selection', 'action'],
  optional: ['description'],
};
const selectionKeys = {
  required: ['tagStatus', 'countType', 'countNumber'],
  optional: ['tagPatternList', 'tagPrefixList', 'storageClass', 'countUnit'],
};
const actionKeys = { required: ['type'], optional: ['targetStorageClass'] };

/** Reads one rule; `undefined` where something was reported that it cannot be made without. */
export function readRule(
  value: unknown,
  field: string,
  options: GrammarOptions,
  report: Report,
): LifecycleRule | undefined {
  const rule = readObject(value, field, ruleKeys, report);
  if (rule === undefined) return undefined;
  const priority = readInteger(own(rule, 'rulePriority'), `${field}.rulePriority`, 1, report);
  const text = own(rule, 'description');
  const description =
    text === undefined ? undefined : readString(text, `${field}.description`, report);
  const action = readAction(own(rule, 'action'), `${field}.action`, report);
  const selection = readSelection(own(rule, 'selection'), `${field}.selection`, report);
  if (priority === undefined || action === undefined || selection === undefined) return undefined;
  const read = { priority, description, action, ...selection };
  reportMisfit(read, field, options, report);
  return read;
}

function readAction(
  value: unknown,
  field: string,
  report: Report,
): LifecycleRule['action'] | undefined {
  const action = readObject(value, field, actionKeys, report);
  if (action === undefined) return undefined;
  const type = readEnum(
    own(action, 'type'),
    `${field}.type`,
    ['expire', 'transition'] as const,
    report,
  );
  const target = own(action, 'targetStorageClass');
  if (type === 'expire' && target !== undefined)
    report(field, noForm, 'remove targetStorageClass: what expires goes nowhere');
  if (type === 'transition' && target !== 'archive')
    report(field, noForm, 'write "targetStorageClass": "archive" beside it');
  return type;
}

type Selection = Pick<LifecycleRule, 'tags' | 'storageClass' | 'countType' | 'countNumber'>;

function readSelection(value: unknown, field: string, report: Report): Selection | undefined {
  const selection = readObject(value, field, selectionKeys, report);
  if (selection === undefined) return undefined;
  const tags = readTags(selection, field, report);
  const storageClass = readClass(selection, field, report);
  const named = own(selection, 'countType');
  const countType = countTypes.find((each) => each === named);
  if (countType === undefined)
    report(`${field}.countType`, noForm, `write ${countTypes.join(', ')}`);
  else readUnit(selection, countType, field, report);
  const least = countType === 'sinceImageTransitioned' ? archiveDaysMin : 1;
  const counted = own(selection, 'countNumber');
  const countNumber = readInteger(counted, `${field}.countNumber`, least, report);
  if (tags === undefined || storageClass === undefined) return undefined;
  if (countType === undefined || countNumber === undefined) return undefined;
  return { tags, storageClass, countType, countNumber };
}

function readUnit(
  selection: JsonObject,
  countType: CountType,
  field: string,
  report: Report,
): void {
  const unit = own(selection, 'countUnit');
  if (countType === 'imageCountMoreThan') {
    if (unit !== undefined)
      report(field, noForm, 'remove countUnit: imageCountMoreThan counts images');
  } else if (unit === undefined) {
    report(field, noForm, `add "countUnit": "days", which ${countType} needs`);
  } else readEnum(unit, `${field}.countUnit`, ['days'] as const, report);
}

function readClass(selection: JsonObject, field: string, report: Report): StorageClass | undefined {
  const value = own(selection, 'storageClass');
  if (value === undefined) return 'standard';
  return readEnum(value, `${field}.storageClass`, ['archive', 'standard'] as const, report);
}

function readTags(
  selection: JsonObject,
  field: string,
  report: Report,
): TagRequirement | undefined {
  const statuses = ['any', 'tagged', 'untagged'] as const;
  const status = readEnum(own(selection, 'tagStatus'), `${field}.tagStatus`, statuses, report);
  const lists = (['tagPrefixList', 'tagPatternList'] as const).filter(
    (key) => own(selection, key) !== undefined,
  );
  if (status === undefined) return undefined;
  if (status !== 'tagged') {
    if (lists.length === 0) return { status };
    const what = `Must not specify tagPrefixList or tagPatternList when tagStatus=${status.toUpperCase()}.`;
    report(field, what, `remove ${lists.join(' and ')}, or write "tagStatus": "tagged"`);
    return undefined;
  }
  const [key, other] = lists;
  if (key === undefined || other !== undefined) {
    const [what, fix] =
      key === undefined
        ? [
            'Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.',
            'add one, such as "tagPatternList": ["*"] for every tagged image',
          ]
        : ['Must not specify both tagPrefixList and tagPatternList.', 'keep one of the two'];
    report(field, what, fix);
    return undefined;
  }
  const kind = key === 'tagPrefixList' ? 'prefix' : 'pattern';
  const entries = readEntries(own(selection, key), `${field}.${key}`, kind, report);
  return entries && { status, kind, entries };
}

function readEntries(
  value: unknown,
  field: string,
  kind: 'prefix' | 'pattern',
  report: Report,
): readonly string[] | undefined {
  const bounds = { least: 1, most: Number.POSITIVE_INFINITY };
  const list = readArray(value, field, bounds, report);
  const entries = list?.flatMap((entry, index) => {
    const at = `${field}[${index}]`;
    const text = readString(entry, at, report);
    if (text === undefined) return [];
    if (text === '') {
      const fix = 'write "tagPatternList": ["*"] for every tagged image';
      report(at, 'string is too short (length: 0, required minimum: 1)', fix);
    }
    const stars = text.split('*').length - 1;
    if (kind === 'pattern' && stars > starsMax) {
      const what = `Tag pattern '${shortened(text, 40)}' has more than ${starsMax} wildcards.`;
      report(at, what, `${starsMax} at most`);
    }
    return [text];
  });
  return entries && [...new Set(entries)];
}

/** What stands in a rule, each part right by itself, and does not go together. */
function reportMisfit(
  { countType, storageClass, action }: LifecycleRule,
  field: string,
  { expireByPull }: GrammarOptions,
  report: Report,
): void {
  const selection = `${field}.selection`;
  const ofArchive = countType === 'sinceImageTransitioned';
  if (ofArchive && storageClass !== 'archive') {
    const what = 'storageClass must be archive when countType=SINCE_IMAGE_TRANSITIONED.';
    report(selection, what, 'write "storageClass": "archive"');
  }
  if (!ofArchive && storageClass === 'archive') {
    const what = `storageClass must be standard when countType is ${countType}.`;
    report(selection, what, 'remove storageClass, or count by sinceImageTransitioned');
  }
  if (ofArchive && action !== 'expire') {
    const what = 'sinceImageTransitioned is supported with the expire action only.';
    report(`${field}.action`, what, 'write "type": "expire"');
  }
  if (countType === 'sinceImagePulled' && action !== 'transition' && !expireByPull) {
    const what = 'sinceImagePulled is supported with the transition action only.';
    const fix = 'set lifecycle.expireByPull: true to let it expire images, or transition them';
    report(`${field}.action`, what, fix);
  }
}
