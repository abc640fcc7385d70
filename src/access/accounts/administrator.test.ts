import { deepEqual, equal, match, notDeepEqual, rejects } from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openAdministrator } from './administrator.ts';
import type { Administrator } from './administrator.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-administrator-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Opened {
  readonly administrator: Administrator;
  readonly file: string;
  /** How often the pair became another. */
  readonly changes: { count: number };
}

async function open(text?: string): Promise<Opened> {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const file = join(dataDir, 'credentials');
  if (text !== undefined) writeFileSync(file, text, { mode: 0o600 });
  const changes = { count: 0 };
  const administrator = await openAdministrator(dataDir, {
    region: 'us-east-1',
    endpointUrl: () => 'http://127.0.0.1:5000',
    onChange: () => void (changes.count += 1),
  });
  return { administrator, file, changes };
}

const written = `; ours
[default]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = 0123456789abcdef
region = us-east-1
endpoint_url = http://127.0.0.1:5000
[work]
aws_access_key_id = AKIAWORK
`;

suite("the administrator's pair", () => {
  test('is rotated in its file, where all else stays', async () => {
    const { administrator, file, changes } = await open(written);
    const before = administrator.pair();
    const made = await administrator.rotate();
    notDeepEqual(made, before);
    deepEqual(administrator.pair(), made);
    equal(changes.count, 1);
    equal(
      readFileSync(file, 'utf8'),
      written
        .replace('AKIAEXAMPLE', made.accessKeyId)
        .replace('0123456789abcdef', made.secretAccessKey),
    );
    equal(statSync(file).mode & 0o777, 0o600);
  });

  test('is, of many rotations at once, the one of the file', async () => {
    const { administrator, file } = await open();
    await Promise.all([administrator.rotate(), administrator.rotate(), administrator.rotate()]);
    match(readFileSync(file, 'utf8'), new RegExp(administrator.pair().secretAccessKey));
  });

  test('follows what an operator writes, when it is opened again', async () => {
    const { administrator, file, changes } = await open();
    equal(await administrator.reopen(), false);
    writeFileSync(file, written);
    equal(await administrator.reopen(), true);
    equal(administrator.pair().accessKeyId, 'AKIAEXAMPLE');
    equal(changes.count, 1);
  });

  test('is a new one where the file is gone', async () => {
    const { administrator, file } = await open();
    const before = administrator.pair();
    rmSync(file);
    equal(await administrator.reopen(), true);
    notDeepEqual(administrator.pair(), before);
    match(readFileSync(file, 'utf8'), new RegExp(administrator.pair().secretAccessKey));
  });

  const bad: readonly (readonly [what: string, spoil: (file: string) => void])[] = [
    ['is malformed', (file) => writeFileSync(file, 'aws_access_key_id')],
    ['can be read by others', (file) => chmodSync(file, 0o644)],
  ];
  for (const [what, spoil] of bad)
    test(`stays while the file ${what}`, async () => {
      const { administrator, file, changes } = await open(written);
      spoil(file);
      await rejects(administrator.reopen());
      await rejects(administrator.rotate());
      equal(administrator.pair().accessKeyId, 'AKIAEXAMPLE');
      equal(changes.count, 0);
    });
});
