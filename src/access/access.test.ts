import { deepEqual, equal, match, notEqual, rejects, throws } from 'node:assert/strict';
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
import fc from 'fast-check';
import type { PullRule } from '../domain/pull-rule.ts';
import type { StoredRepository } from '../metadata/metadata.ts';
import { authenticate } from './basic.ts';
import type { Credentials } from './credentials.ts';
import { openCredentials } from './credentials.ts';
import { mayPull } from './pull-access.ts';

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

const credentials: Credentials = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 's3cret:with:colons',
  ...options,
  file: '',
};
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
const right = 'AKIAEXAMPLE:s3cret:with:colons';

suite('who is asking', () => {
  const rows: readonly (readonly [
    name: string,
    header: string | undefined,
    who: string,
    onMirror: string,
  ])[] = [
    ['no header', undefined, 'anonymous', 'anonymous'],
    ['the right pair', basic(right), 'administrator', 'administrator'],
    [
      'the right pair in another spelling',
      basic(right).replace('Basic', 'bAsIc  ').replaceAll('=', ''),
      'administrator',
      'administrator',
    ],
    ['an empty pair', basic(':'), 'anonymous', 'anonymous'],
    ['a wrong password', basic('AKIAEXAMPLE:wrong'), 'unauthorized', 'anonymous'],
    ['a wrong user', basic('other:s3cret:with:colons'), 'unauthorized', 'anonymous'],
    ['a user without a password', basic('AKIAEXAMPLE:'), 'unauthorized', 'anonymous'],
    ['a password without a user', basic(':s3cret:with:colons'), 'unauthorized', 'anonymous'],
    ['a pair without a colon', basic('AKIAEXAMPLE'), 'unauthorized', 'anonymous'],
    ['no pair', 'Basic ', 'unauthorized', 'anonymous'],
    ['an empty header', '', 'unauthorized', 'anonymous'],
    ['what is not base64', 'Basic !!!', 'unauthorized', 'anonymous'],
    ['a bearer token', 'Bearer abc', 'unauthorized', 'anonymous'],
    ['two pairs', `${basic(right)}, ${basic(right)}`, 'unauthorized', 'anonymous'],
    ['a header of 10 KB', `Basic ${'A'.repeat(10_000)}`, 'unauthorized', 'anonymous'],
  ];
  for (const [name, header, who, onMirror] of rows) {
    test(`${name} is ${who}, on a mirror request ${onMirror}`, () => {
      const ask = (mirror: boolean) => () => authenticate(header, credentials, { mirror });
      if (who === 'unauthorized')
        throws(ask(false), { name: 'RegistryError', code: 'unauthorized' });
      else equal(ask(false)(), who);
      equal(ask(true)(), onMirror);
    });
  }

  test('no other text is ever the administrator', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map(basic),
          fc.string().map((text) => `Basic ${text}`),
        ),
        (header) => {
          notEqual(authenticate(header, credentials, { mirror: true }), 'administrator');
        },
      ),
    );
  });
});

suite('may pull', () => {
  const stored = (isPrivate: boolean): StoredRepository => ({
    private: isPrivate,
    stopped: undefined,
    createdAt: 0,
  });
  const rule = (credential: boolean, anonymousPull: boolean): PullRule =>
    ({
      credential: credential ? { name: 'c', username: 'u', accessToken: 't' } : undefined,
      anonymousPull,
    }) as PullRule;
  const rows: readonly (readonly [
    name: string,
    rule: PullRule | undefined,
    repository: StoredRepository | undefined,
    anonymous: boolean,
  ])[] = [
    ['a public rule, nothing held', rule(false, true), undefined, true],
    ['a public rule, public content', rule(false, true), stored(false), true],
    [
      'T32: what a credential fetched, under the rule that has it',
      rule(true, false),
      stored(true),
      false,
    ],
    ['T32: a rule with a credential, nothing held', rule(true, false), undefined, false],
    [
      'T32: public content under a rule that has got a credential since',
      rule(true, false),
      stored(false),
      false,
    ],
    [
      'T32: what a credential fetched, after the rule lost it',
      rule(false, true),
      stored(true),
      false,
    ],
    ['T32: what a credential fetched, after its rule was removed', undefined, stored(true), false],
    ['a credential that only raises limits', rule(true, true), stored(false), true],
    [
      'private content whose rule now says anonymousPull: true beside its credential',
      rule(true, true),
      stored(true),
      true,
    ],
    ['public content of a removed rule', undefined, stored(false), true],
  ];
  for (const [name, one, repository, anonymous] of rows) {
    test(`${name}: ${anonymous ? 'everybody' : 'the administrator alone'}`, () => {
      equal(mayPull({ rule: one, repository, who: 'anonymous' }), anonymous);
      equal(mayPull({ rule: one, repository, who: 'administrator' }), true);
    });
  }
});
