// The house as tests: who may import whom, how long a file may be, and that no machine's paths are written down.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sourceLinesMax = 400;
const testLinesMax = 600;
const medianLinesMax = 100;
const functionLinesMax = 70;

/** Generated and pure data files, which may be longer. */
const longFiles: readonly string[] = [];

const everyFolder = [
  'access',
  'api',
  'cache',
  'cli',
  'config',
  'contract',
  'coordination',
  'domain',
  'http',
  'metadata',
  'ports',
  'storage',
  'telemetry',
  'upstream',
] as const;

/** What a folder of src/ may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  contract: ['domain'],
  ports: ['domain'],
  coordination: ['ports'],
  metadata: ['domain', 'coordination'],
  storage: ['domain', 'coordination', 'ports'],
  upstream: ['domain', 'coordination', 'ports'],
  access: ['domain', 'contract', 'coordination', 'ports', 'metadata'],
  cache: ['domain', 'contract', 'coordination', 'ports', 'metadata'],
  http: ['domain', 'coordination'],
  api: ['domain', 'contract', 'coordination', 'ports', 'metadata', 'access', 'cache', 'http'],
  config: ['domain'],
  telemetry: ['domain', 'coordination', 'ports'],
  cli: ['domain', 'contract', 'config'],
  server: everyFolder,
  main: ['cli', 'server'],
};

/** Modules that one part alone knows. */
const ownedModules: Readonly<Record<string, readonly string[]>> = {
  kysely: ['metadata'],
  pg: ['metadata'],
  // cli: whether a server holds the lock of its data folder.
  'node:sqlite': ['metadata', 'server', 'cli'],
  // access: the keys of OIDC issuers, under their own CA.
  undici: ['upstream', 'cli', 'access'],
  commander: ['cli'],
  yaml: ['config', 'cli'],
  pino: ['telemetry', 'server'],
  '@prometheus-io/client': ['telemetry'],
  jose: ['access'],
  '@peculiar/x509': ['cli'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const sources = globSync('src/**/*.ts', { cwd: root })
  .map((file) => file.replaceAll('\\', '/'))
  .toSorted();
const tests = globSync('{src,tests}/**/*.test.ts', { cwd: root }).toSorted();
const production = sources.filter((file) => !file.endsWith('.test.ts'));

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Every module that a file names: static, type, dynamic imports, re-exports, and the URL of a worker. */
function importsOf(file: string): Import[] {
  const text = read(file);
  const patterns = [
    /^\s*(?:import|export)\s[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\brequire(?:\.resolve)?\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*[`'"](\.[^'"`$]*)/g,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({ from: file, to: match[1] ?? '' })),
  );
}

/** `src/cache/download/download.ts` → `cache`; `src/server/app.ts` → `app`. */
function partOf(file: string): string {
  const [, second = ''] = file.split('/');
  return second.replace(/\.ts$/, '');
}

function targetOf(each: Import): string | undefined {
  if (!each.to.startsWith('.')) return undefined;
  const target = posix.join(posix.dirname(each.from), each.to);
  // The version is read from it.
  return target === 'package.json' ? undefined : target;
}

const productionImports = production.flatMap(importsOf);

test('The import table finds imports at all.', () => {
  assert.ok(productionImports.length > 100);
  assert.ok(productionImports.some(({ from }) => from === 'src/main.ts'));
});

for (const folder of [...new Set(production.map(partOf))].toSorted()) {
  test(`${folder} imports only what its row of the table allows.`, () => {
    const allowed = mayImport[folder];
    assert.ok(allowed !== undefined, `${folder} has no row in the import table`);
    const wrong = productionImports
      .filter(({ from }) => partOf(from) === folder)
      .filter((each) => {
        const target = targetOf(each);
        if (target === undefined) return false;
        if (!target.startsWith('src/')) return true;
        const part = partOf(target);
        return part !== folder && !allowed.includes(part);
      });
    assert.deepEqual(wrong, []);
  });
}

test('domain imports no node: module and no package.', () => {
  const wrong = productionImports.filter(
    (each) => partOf(each.from) === 'domain' && targetOf(each) === undefined,
  );
  assert.deepEqual(wrong, []);
});

test('Siblings under api/ never import each other.', () => {
  const sibling = (file: string): string => file.split('/').slice(0, 3).join('/');
  const wrong = productionImports.filter((each) => {
    const target = targetOf(each);
    if (target === undefined || partOf(each.from) !== 'api' || partOf(target) !== 'api')
      return false;
    return sibling(each.from) !== sibling(target);
  });
  assert.deepEqual(wrong, []);
});

test('A package that one part owns is known to no other part.', () => {
  const wrong = productionImports.filter((each) => {
    const name = each.to.startsWith('@') ? each.to : (each.to.split('/')[0] ?? '');
    const owners = ownedModules[name];
    return owners !== undefined && !owners.includes(partOf(each.from));
  });
  assert.deepEqual(wrong, []);
});

test('Production code imports no test and nothing outside src/.', () => {
  const wrong = productionImports.filter((each) => {
    const target = targetOf(each);
    return target !== undefined && (!target.startsWith('src/') || target.endsWith('.test.ts'));
  });
  assert.deepEqual(wrong, []);
});

test('A relative import ends in .ts, and there are no barrels.', () => {
  const wrong = productionImports.filter((each) => {
    const target = targetOf(each);
    return target !== undefined && !/\.(ts|json)$|\/$/.test(target) && !each.to.endsWith('-worker');
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    production.filter((file) => file.endsWith('/index.ts') || /^export .* from /m.test(read(file))),
    [],
  );
});

test('No file is named utils, helpers, common, types, manager or service.', () => {
  const vague = /(^|[/.-])(utils?|helpers?|common|types|manager|service)\.(test\.)?ts$/;
  const files = globSync('{src,tests,scripts}/**/*.ts', { cwd: root });
  assert.deepEqual(
    files.filter((file) => vague.test(file) || /[A-Z_]/.test(file)),
    [],
  );
});

test(`A source file has at most ${sourceLinesMax} lines, a test file ${testLinesMax}.`, (t) => {
  const lines = (file: string): number => read(file).split('\n').length - 1;
  const support = globSync('tests/**/*.ts', { cwd: root }).filter((file) => !tests.includes(file));
  const tooLong = [
    ...[...production, ...support].filter((file) => lines(file) > sourceLinesMax),
    ...tests.filter((file) => lines(file) > testLinesMax),
  ].filter((file) => !longFiles.includes(file));
  assert.deepEqual(
    tooLong.map((file) => `${file}: ${lines(file)} lines`),
    [],
  );
  const sorted = production.map(lines).toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  t.diagnostic(`${sorted.length} source files, median ${median} lines (${medianLinesMax} wanted)`);
  const long = production.flatMap(longFunctions);
  t.diagnostic(`${long.length} functions over ${functionLinesMax} lines: ${long.join(', ')}`);
});

/** By the formatter's indentation: a function's closing brace stands under its beginning. */
function longFunctions(file: string): string[] {
  const lines = read(file).split('\n');
  return lines.flatMap((line, index) => {
    const begins =
      /^(\s*)(?:export )?(?:async )?(?:function\*? )?(?:const )?([#\w]+).*(?:=>|\)|\)?: .+) \{$/.exec(
        line,
      );
    const name = begins?.[2] ?? '';
    if (begins === null || /^(if|for|while|switch|catch|else|return|class|try)$/.test(name))
      return [];
    const indent = begins[1] ?? '';
    const length = lines.slice(index + 1).findIndex((each) => each.startsWith(`${indent}}`)) + 2;
    return length > functionLinesMax ? [`${file} ${name} ${length}`] : [];
  });
}

test('No machine’s paths are written down.', () => {
  // Put together, so that this file does not hold what it looks for.
  const places = ['work', 'root', 'home', 'Users'].join('|');
  const pattern = new RegExp(`(?<![\\w.:/\\])}*-])/(?:${places})/[\\w.-]`);
  const files = globSync('{src,tests,scripts,.ci,bin,docs,examples,decisions}/**/*', {
    cwd: root,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  assert.ok(files.length > 100);
  assert.deepEqual(
    files.filter((file) => pattern.test(read(file))),
    [],
  );
});
