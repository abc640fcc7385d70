import { deepEqual, equal, match, notEqual, rejects } from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openCredentials } from './credentials.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-access-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(folder, String((folders += 1)));
const options = { region: 'us-east-1', endpointUrl: 'http://127.0.0.1:5000' };

function written(text: string, mode = 0o600): string {
  const dataDir = mkdtempSync(join(folder, 'written-'));
  writeFileSync(join(dataDir, 'credentials'), text, { mode });
  chmodSync(join(dataDir, 'credentials'), mode);
  return dataDir;
}

suite('credentials file', () => {
  test('the first start writes a pair of its own, closed to others', async () => {
    const dataDir = newFolder();
    const made = await openCredentials(dataDir, options);
    match(made.accessKeyId, /^AKIA[A-Z2-7]{16}$/);
    match(made.secretAccessKey, /^[A-Za-z0-9]{40}$/);
    equal(statSync(made.file).mode & 0o777, 0o600);
    deepEqual(readdirSync(dataDir), ['credentials']);
    const other = await openCredentials(newFolder(), options);
    notEqual(other.accessKeyId, made.accessKeyId);
    notEqual(other.secretAccessKey, made.secretAccessKey);
  });

  test('a later start reads the same pair and leaves the file alone', async () => {
    const dataDir = newFolder();
    const made = await openCredentials(dataDir, options);
    const before = statSync(made.file);
    deepEqual(await openCredentials(dataDir, options), made);
    equal(statSync(made.file).ino, before.ino);
  });

  test('another port changes the endpoint and nothing else', async () => {
    const text =
      '# mine\r\n[work]\nendpoint_url = http://work.test\n[default]\naws_access_key_id=AKIAEXAMPLE\n  aws_secret_access_key =  0123456789abcdef=/+  \n; note\nendpoint_url=http://old.test\nregion = eu-west-1\nother = kept';
    const dataDir = written(text);
    const read = await openCredentials(dataDir, {
      ...options,
      endpointUrl: 'http://127.0.0.1:6000',
    });
    deepEqual(
      [read.accessKeyId, read.secretAccessKey, read.region, read.endpointUrl],
      ['AKIAEXAMPLE', '0123456789abcdef=/+', 'eu-west-1', 'http://127.0.0.1:6000'],
    );
    equal(
      readFileSync(read.file, 'utf8'),
      text.replace('endpoint_url=http://old.test', 'endpoint_url = http://127.0.0.1:6000'),
    );
    equal(statSync(read.file).mode & 0o777, 0o600);
  });

  test('a missing endpoint is added to the default profile', async () => {
    const dataDir = written(
      '[default]\naws_access_key_id = a_key\naws_secret_access_key = 0123456789abcdef\n[x]\n',
    );
    const { file, region } = await openCredentials(dataDir, options);
    equal(region, 'us-east-1');
    match(
      readFileSync(file, 'utf8'),
      /^\[default\]\nendpoint_url = http:\/\/127\.0\.0\.1:5000\naws_access_key_id/,
    );
  });

  const malformed: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ['an empty file', '', /profile \[default\] is missing/],
    [
      'no key',
      '[default]\naws_secret_access_key = 0123456789abcdef',
      /aws_access_key_id of \[default\] is missing/,
    ],
    [
      'no secret',
      '[default]\naws_access_key_id = AKIA',
      /aws_secret_access_key of \[default\] is missing/,
    ],
    [
      'a key with a colon',
      '[default]\naws_access_key_id = a:b\naws_secret_access_key = 0123456789abcdef',
      /aws_access_key_id .* malformed/,
    ],
    [
      'a short secret',
      '[default]\naws_access_key_id = AKIA\naws_secret_access_key = short',
      /aws_secret_access_key .* malformed/,
    ],
    ['a line of neither kind', '[default]\nwhat', /credentials:2: neither/],
    ['a huge file', '#'.repeat(70_000), /larger than/],
  ];
  for (const [name, text, message] of malformed) {
    test(`${name} is a clear error that shows no secret`, async () => {
      await rejects(openCredentials(written(text), options), (error: Error) => {
        match(error.message, message);
        equal(error.message.includes('short'), false);
        return true;
      });
    });
  }

  test('a file open to everyone is refused, one open to its group is not', async () => {
    const text =
      '[default]\naws_access_key_id = AKIA\naws_secret_access_key = 0123456789abcdef\nendpoint_url = http://127.0.0.1:5000';
    await rejects(openCredentials(written(text, 0o644), options), /mode 644.*chmod 600/);
    await openCredentials(written(text, 0o660), options);
  });
});
