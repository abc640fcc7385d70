// What comments, documents and names of tests refer to is in this repository.
import { deepEqual, ok } from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const self = 'src/references.test.ts';
const code = globSync('{src,tests,scripts}/**/*.{ts,mjs}', { cwd: root }).filter(
  (file) => file !== self,
);
const pages = globSync(['*.md', '{docs,decisions,tests}/**/*.md'], { cwd: root });

/** Pages of the OCI image specification. */
const ofSpecification = new Set(['descriptor.md', 'annotations.md']);

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** A document as it is named: from the root, from docs/, or from where it is named. */
function find(name: string, from: string): string | undefined {
  return [name, join('docs', name), join(dirname(from), name)].find((path) =>
    existsSync(join(root, path)),
  );
}

function headingsOf(file: string): readonly string[] {
  return Array.from(read(file).matchAll(/^#+ (.+)$/gm), ([, heading = '']) => heading);
}

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

test('comments name documents, and headings in them, that are there', () => {
  const wrong = code.flatMap((file) =>
    // A comment may break between the two.
    Array.from(
      read(file)
        // A row's source is a document of another project.
        .replaceAll(/\bsource:\s*'[^'\n]*'/g, '')
        .replaceAll(/\n\s*(?:\*|\/\/) /g, ' ')
        .matchAll(/((?:[\w-]+\/)*[\w-]+\.md)\b(?:, "([^"\n]+)")?/g),
      ([said, name = '', heading]) => {
        const document = find(name, file);
        const known = document !== undefined && existsSync(join(root, document));
        const there = known && (heading === undefined || headingsOf(document).includes(heading));
        return there || ofSpecification.has(name) ? [] : [`${file}: ${said}`];
      },
    ).flat(),
  );
  deepEqual(wrong, []);
});

test('links of documents lead to files and headings that are there', () => {
  const wrong = pages.flatMap((page) =>
    Array.from(
      read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g),
      ([said, path = '', anchor]) => {
        const target = path === '' ? page : join(dirname(page), path);
        if (!existsSync(join(root, target))) return [`${page}: ${said}`];
        if (anchor === undefined) return [];
        return headingsOf(target).some((heading) => anchorOf(heading) === anchor)
          ? []
          : [`${page}: ${said}`];
      },
    ).flat(),
  );
  deepEqual(wrong, []);
});

test('numbers in the names of tests stand in tests/README.md', () => {
  const rows = read('tests/README.md');
  const numbers = new Set(
    code
      .flatMap((file) => Array.from(read(file).matchAll(/\b(?:T\d{1,2}|W\d\.\d{1,2})\b(?=[:,)])/g)))
      .map(([number]) => number),
  );
  ok(numbers.size > 30);
  deepEqual(
    [...numbers].filter((number) => !rows.includes(`| ${number} |`)),
    [],
  );
});
