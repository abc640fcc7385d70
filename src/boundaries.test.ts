// The house as tests: who may import whom, how much a folder, a file and a function may hold, and that no machine's paths are written down.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readSyntax } from '../tests/support/checkout/source-syntax.ts';
import type { SourceSyntax } from '../tests/support/checkout/source-syntax.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folderFilesMax = 20;
const sourceLinesMax = 400;
const testLinesMax = 600;
const medianLinesMax = 100;
const functionLinesMax = 70;

/** Generated and pure data files, which may be longer. */
const longFiles: readonly string[] = [
  'src/api/ecr/model.ts',
  'src/api/iam/model.ts',
  'src/api/secrets/model.ts',
];

/** One table, or one switch with a line a case: these may be longer. */
const tablesAndSwitches: readonly string[] = ['logEvent'];

/** Folders that are still too full, with what they may hold at most. Whoever empties one takes it out; none is put in. */
const fullFolders: Readonly<Record<string, number>> = {};

/** Functions that are still too long, with their lines at most. Whoever opens one takes it out; none is put in. */
const longFunctions: Readonly<Record<string, number>> = {};

/** Files that still import each other in a circle. Whoever opens one takes it out; none is put in. */
const circles: readonly string[] = [];

/** Rooms of one folder that still import each other. Whoever parts two takes them out; none are put in. */
const roomPairs: readonly string[] = [];

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
  'kubernetes',
  'metadata',
  'operations',
  'ports',
  'storage',
  'telemetry',
  'upkeep',
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
  operations: ['domain', 'contract', 'coordination', 'ports', 'metadata', 'access', 'cache'],
  upkeep: ['domain', 'contract', 'coordination', 'ports', 'metadata', 'cache'],
  http: ['domain', 'coordination'],
  api: [
    'domain',
    'contract',
    'coordination',
    'ports',
    'access',
    'cache',
    'operations',
    'kubernetes',
    'http',
  ],
  config: ['domain'],
  telemetry: ['domain', 'coordination', 'ports'],
  kubernetes: ['domain', 'ports'],
  cli: ['domain', 'contract', 'config', 'kubernetes'],
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
  yaml: ['config', 'cli', 'kubernetes'],
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

const syntax: ReadonlyMap<string, SourceSyntax> = new Map(
  production.map((file) => [file, readSyntax(join(root, file))]),
);

function importsOf(file: string): Import[] {
  return (syntax.get(file)?.imports ?? []).map((to) => ({ from: file, to }));
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

/** What an operation is, for each front-end that has a table of them. */
const sharedByFrontEnds = 'src/api/operation.ts';
/** The services of AWS at their one endpoint: each may import that, and none another. */
const awsServices = ['ecr', 'secrets', 'sts', 'iam'].map((name) => `src/api/${name}`);

test('Siblings under api/ never import each other.', () => {
  const sibling = (file: string): string => file.split('/').slice(0, 3).join('/');
  const wrong = productionImports.filter((each) => {
    const target = targetOf(each);
    if (target === undefined || partOf(each.from) !== 'api' || partOf(target) !== 'api')
      return false;
    if (target === sharedByFrontEnds) return false;
    if (sibling(target) === 'src/api/aws' && awsServices.includes(sibling(each.from))) return false;
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
    production.filter((file) => file.endsWith('/index.ts') || syntax.get(file)?.reExports === true),
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
});

test(`A function has at most ${functionLinesMax} lines, from its signature on.`, () => {
  const lengths = new Map<string, number>();
  for (const { functions } of syntax.values())
    for (const { name, lines } of functions)
      if (lines > functionLinesMax && !tablesAndSwitches.includes(name))
        lengths.set(name, Math.max(lines, lengths.get(name) ?? 0));
  assert.deepEqual(unlike(lengths, longFunctions), []);
});

test(`A folder has at most ${folderFilesMax} source files of its own.`, () => {
  const counts = [...Map.groupBy(production, dirname)].map(([folder, own]) => [folder, own.length]);
  const full = (counts as [string, number][]).filter(([, count]) => count > folderFilesMax);
  assert.deepEqual(unlike(new Map(full), fullFolders), []);
});

/** What is larger than its exception or has none, and exceptions that nothing needs any more. */
function unlike(
  found: ReadonlyMap<string, number>,
  exceptions: Readonly<Record<string, number>>,
): string[] {
  return [
    ...[...found]
      .filter(([name, size]) => size > (exceptions[name] ?? 0))
      .map(([name, size]) => `${name}: ${size}`),
    ...Object.keys(exceptions)
      .filter((name) => !found.has(name))
      .map((name) => `${name}: is no exception any more, take it out`),
  ];
}

test('No files import each other in a circle, for types either.', () => {
  const found = circlesAmong(production).map((files) => files.map((file) => basename(file)));
  assert.deepEqual(found.map((files) => files.toSorted().join(' ')).toSorted(), circles.toSorted());
});

test('Of two rooms of one folder, one at most imports the other.', () => {
  const ways = productionImports.flatMap((each) => {
    const [from, to] = [dirname(each.from), dirname(targetOf(each) ?? '')];
    return from !== to && dirname(from) === dirname(to) && dirname(to) !== 'src'
      ? [[from, to]]
      : [];
  });
  const pairs = new Set(
    ways
      .filter(([from, to]) => ways.some((other) => other[0] === to && other[1] === from))
      .map((pair) => pair.toSorted().join(' ')),
  );
  assert.deepEqual([...pairs].toSorted(), roomPairs);
});

/** Each set of files that all lead to each other. */
function circlesAmong(files: readonly string[]): string[][] {
  const reached = new Map(files.map((file) => [file, reachedFrom(file)]));
  const circle = (file: string): string[] =>
    files.filter(
      (other) => reached.get(file)?.has(other) === true && reached.get(other)?.has(file),
    );
  return files.map(circle).filter((all, index) => all[0] === files[index]);
}

/** Files that one leads to by imports; itself only where a way leads back. */
function reachedFrom(file: string): Set<string> {
  const reached = new Set<string>();
  const waiting = [file];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const each of importsOf(next)) {
      const target = targetOf(each)?.replace(/(?<!\.ts)$/, '.ts');
      if (target === undefined || reached.has(target) || !syntax.has(target)) continue;
      reached.add(target);
      waiting.push(target);
    }
  }
  return reached;
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
