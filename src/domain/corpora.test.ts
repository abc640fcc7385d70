import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseDigest } from './names/digest.ts';
import { parseImageName } from './names/image-name.ts';
import type { ImageName } from './names/image-name.ts';
import { formatReference, parseReference } from './names/reference.ts';
import { parseRepositoryName } from './names/repository-name.ts';
import { parseTag } from './names/tag.ts';

const parsers: Readonly<Record<string, (text: string) => string | undefined>> = {
  digest: parseDigest,
  tag: parseTag,
  'repository-name': parseRepositoryName,
  reference(text) {
    const reference = parseReference(text);
    return reference && formatReference(reference);
  },
};

for (const [name, parse] of Object.entries(parsers)) {
  for (const line of corpus(`${name}-valid`)) {
    test(`${name}: ${JSON.stringify(line)} is read and stays as it is`, () => {
      assert.equal(parse(line), line);
    });
  }
  for (const line of ['', ...corpus(`${name}-invalid`)]) {
    test(`${name}: ${JSON.stringify(line)} is refused`, () => {
      assert.equal(parse(line), undefined);
      // A line break is not hidden by an end-of-line anchor either.
      assert.equal(parse(`${line}\n`), undefined);
    });
  }
}

for (const line of corpus('image-name-valid')) {
  const [written = '', canonical = ''] = line.split(' ');
  test(`image-name: ${JSON.stringify(written)} is ${canonical}`, () => {
    const image = parseImageName(written);
    assert.ok(image !== undefined);
    assert.equal(spelled(image), canonical);
  });
  test(`image-name: ${canonical} is read as itself`, () => {
    const again = parseImageName(canonical);
    assert.ok(again !== undefined);
    assert.equal(spelled(again), canonical);
  });
}

/** The canonical spelling, with no tag made up where there is none. */
function spelled({ host, repository, tag, digest }: ImageName): string {
  return `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

for (const line of corpus('image-name-invalid')) {
  test(`image-name: ${JSON.stringify(line)} is refused`, () => {
    assert.equal(parseImageName(line), undefined);
  });
}

test('image-name: a megabyte is refused at once', () => {
  assert.equal(parseImageName('a/'.repeat(500_000)), undefined);
});

test('reference: a tag and a digest are told apart', () => {
  assert.equal(parseReference('sha256')?.kind, 'tag');
  assert.equal(parseReference(`sha256:${'a'.repeat(64)}`)?.kind, 'digest');
});

function corpus(name: string): readonly string[] {
  return readFileSync(new URL(`testdata/${name}.txt`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
