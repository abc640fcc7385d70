import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createTestAuthority } from '../../tests/support/samples/certificates.ts';
import type { TlsPair } from '../http/server.ts';
import type { Log } from '../telemetry/log.ts';
import { keepTlsFresh, readTlsFiles, tlsNotAfterMs } from './tls-files.ts';
import type { TlsFiles } from './tls-files.ts';

let folder = '';
let first: TlsPair;
let second: TlsPair;
let ended: TlsPair;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'breakwater-tls-files-'));
  const authority = await createTestAuthority();
  first = await authority.issue(['first.example']);
  second = await authority.issue(['second.example'], 12);
  ended = await authority.issue(['ended.example'], -1);
});
after(() => rm(folder, { recursive: true }));

interface Scene extends Disposable {
  readonly files: TlsFiles;
  readonly dir: string;
  readonly applied: TlsPair[];
  readonly results: (readonly [successful: boolean, notAfterMs: number | undefined])[];
  readonly lines: string[];
  /** Resolves at the next result. */
  readonly told: () => Promise<void>;
  readonly ending: AbortController;
}

interface Plan {
  readonly prepare?: (dir: string) => Promise<void>;
  readonly apply?: (pair: TlsPair) => void;
  /** False: only SIGHUP makes it look. */
  readonly watching?: boolean;
}

async function keep({ prepare = put(first), apply, watching = true }: Plan = {}): Promise<Scene> {
  const dir = await mkdtemp(join(folder, 'scene-'));
  const files = { certFile: join(dir, 'server.crt'), keyFile: join(dir, 'server.key') };
  await prepare(dir);
  const ending = new AbortController();
  // The watch never keeps a process alive; the test must.
  const alive = setInterval(() => undefined, 1000);
  const applied: TlsPair[] = [];
  const results: Scene['results'] = [];
  const lines: string[] = [];
  let next = Promise.withResolvers<void>();
  const write =
    (level: string): Log['info'] =>
    (message, fields) =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log: Log = {
    format: 'json',
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    of: () => log,
  };
  await keepTlsFresh(
    files,
    {
      log,
      apply: (pair) => {
        apply?.(pair);
        applied.push(pair);
      },
      onResult: (successful, notAfterMs) => {
        results.push([successful, notAfterMs]);
        next.resolve();
        next = Promise.withResolvers();
      },
      watch: { debounceMs: watching ? 20 : 2_000_000_000, pollMs: 2_000_000_000 },
    },
    ending.signal,
  );
  return {
    files,
    dir,
    applied,
    results,
    lines,
    told: () => next.promise,
    ending,
    [Symbol.dispose]: () => {
      clearInterval(alive);
      ending.abort();
    },
  };
}

function put({ cert, key }: TlsPair): (dir: string) => Promise<void> {
  return async (dir) => {
    await writeFile(join(dir, 'server.crt'), cert);
    await writeFile(join(dir, 'server.key'), key);
  };
}

/** The next result that says so; a change of two files may be looked at between them. */
async function until(scene: Scene, successful: boolean): Promise<void> {
  for (;;) {
    await scene.told();
    if (scene.results.at(-1)?.[0] === successful) return;
  }
}

suite('certificate files', () => {
  test('are applied at the start, with the end of the certificate', async () => {
    using scene = await keep();
    deepEqual(scene.applied, [first]);
    deepEqual(scene.results, [[true, tlsNotAfterMs(first.cert)]]);
    deepEqual(scene.lines, []);
  });

  test('that are written anew are applied', async () => {
    using scene = await keep();
    const changed = until(scene, true);
    await put(second)(scene.dir);
    await changed;
    deepEqual(scene.applied, [first, second]);
    deepEqual(scene.results.at(-1), [true, tlsNotAfterMs(second.cert)]);
    match(scene.lines.at(-1) ?? '', /^info certificate reloaded .*DNS:second\.example/);
  });

  test('reached through Kubernetes’ ..data are applied at the swap', async () => {
    const mount = async (dir: string): Promise<void> => {
      await mkdir(join(dir, '..1'));
      await put(first)(join(dir, '..1'));
      await symlink('..1', join(dir, '..data'));
      for (const name of ['server.crt', 'server.key'])
        await symlink(join('..data', name), join(dir, name));
    };
    using scene = await keep({ prepare: mount });
    const changed = until(scene, true);
    await mkdir(join(scene.dir, '..2'));
    await put(second)(join(scene.dir, '..2'));
    await symlink('..2', join(scene.dir, '..data_tmp'));
    await rename(join(scene.dir, '..data_tmp'), join(scene.dir, '..data'));
    await changed;
    deepEqual(scene.applied, [first, second]);
  });

  test('are looked at when SIGHUP comes, and nothing is applied that is in force', async () => {
    using scene = await keep({ watching: false });
    let told = scene.told();
    process.emit('SIGHUP');
    await told;
    deepEqual(scene.applied, [first]);
    await put(second)(scene.dir);
    told = scene.told();
    process.emit('SIGHUP');
    await told;
    deepEqual(scene.applied, [first, second]);
    deepEqual(
      scene.results.map(([successful]) => successful),
      [true, true, true],
    );
  });

  test('are left alone once the signal aborts', async () => {
    const before = process.listenerCount('SIGHUP');
    using scene = await keep();
    scene.ending.abort();
    equal(process.listenerCount('SIGHUP'), before);
  });

  const broken: readonly (readonly [
    name: string,
    spoil: (files: TlsFiles) => Promise<void>,
    told: RegExp,
  ])[] = [
    [
      'with the key of another certificate',
      ({ keyFile }) => writeFile(keyFile, second.key),
      /tls\.keyFile: the file .*server\.key holds the key of another certificate/,
    ],
    [
      'of which one is gone',
      ({ certFile }) => rm(certFile),
      /tls\.certFile: the file .*server\.crt does not exist/,
    ],
    [
      'that are empty',
      async ({ certFile, keyFile }) => {
        await writeFile(certFile, '');
        await writeFile(keyFile, '');
      },
      /tls\.certFile: the file .*server\.crt holds no PEM certificate/,
    ],
    [
      'whose key is cut short',
      ({ keyFile }) => writeFile(keyFile, first.key.slice(0, 60)),
      /tls\.keyFile: .*holds no usable PEM/,
    ],
  ];
  for (const [name, spoil, told] of broken) {
    test(`${name} keep the old pair in force, and the next good ones are applied`, async () => {
      using scene = await keep({ watching: false });
      await spoil(scene.files);
      let result = scene.told();
      process.emit('SIGHUP');
      await result;
      deepEqual(scene.applied, [first]);
      deepEqual(scene.results.at(-1), [false, tlsNotAfterMs(first.cert)]);
      match(
        scene.lines.at(-1) ?? '',
        /^error certificate not reloaded, the old one stays in force/,
      );
      match(scene.lines.at(-1) ?? '', told);
      equal(scene.lines.join('').includes('PRIVATE KEY'), false);
      await put(second)(scene.dir);
      result = scene.told();
      process.emit('SIGHUP');
      await result;
      deepEqual(scene.applied, [first, second]);
    });
  }

  test('that the server refuses keep the old pair in force', async () => {
    const apply = ({ cert }: TlsPair): void => {
      if (cert === second.cert) throw new Error('not this one');
    };
    using scene = await keep({ apply });
    const refused = until(scene, false);
    await put(second)(scene.dir);
    await refused;
    deepEqual(scene.results.at(-1), [false, tlsNotAfterMs(first.cert)]);
    match(scene.lines.at(-1) ?? '', /not this one/);
  });

  test('with a certificate that has ended are applied and warned of', async () => {
    using scene = await keep();
    const changed = until(scene, true);
    await put(ended)(scene.dir);
    await changed;
    deepEqual(scene.applied, [first, ended]);
    match(scene.lines.at(-1) ?? '', /^warn the new certificate has expired already/);
  });

  test('that are read for the start are refused by name', async () => {
    using scene = await keep();
    deepEqual(await readTlsFiles(scene.files), first);
    await rm(scene.files.keyFile);
    await rejects(readTlsFiles(scene.files), /^Error: tls\.keyFile: the file .*server\.key/);
  });
});
