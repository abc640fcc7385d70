import { deepEqual, equal } from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import type { StagedJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import { stageJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Caller } from '../access.ts';
import { mintEcrPassword } from './registry-tokens.ts';

const hourMs = 3_600_000;
const dev = { account: homeAccount, name: 'dev' };

let rig: IdentityRig;
let issuer: StagedJwtIssuer;
before(async () => {
  rig = await openIdentityRig();
  issuer = await stageJwtIssuer();
  await issuer.rotate('one');
  const principals = [{ claims: { sub: 'dev' }, principal: 'dev', account: homeAccount }];
  rig.issuers = [
    {
      issuer: issuer.url,
      audiences: ['breakwater'],
      jwksUrl: undefined,
      ca: undefined,
      principals,
    },
  ];
});
after(async () => {
  await issuer[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

function setBack(ms: number): void {
  rig.clock.setNow(rig.clock.now() - ms);
}

async function makeDev(): Promise<void> {
  await rig.identities.createPrincipal({ ...dev, kind: 'user' }, rig.author);
}

async function makeKey(): Promise<string> {
  const key = await rig.identities.createAccessKey(dev, rig.author);
  return basic(key?.key.id ?? '', key?.secret ?? '');
}

function callerOf(header: string, address = '192.0.2.1'): Promise<Caller> {
  return Promise.resolve(rig.identifier.identify(header, rig.from(address), { mirror: false }));
}

async function answerTo(header: string, address?: string): Promise<string> {
  try {
    return (await callerOf(header, address)).via;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return error.code;
  }
}

async function bearerOf(caller: Caller): Promise<string> {
  const { token } = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
  return `Bearer ${token}`;
}

function jwt(sub = 'dev'): Promise<string> {
  const seconds = Math.floor(rig.clock.now() / 1000);
  const times = { iat: seconds, nbf: seconds, exp: seconds + 600 };
  return issuer.sign({ iss: issuer.url, aud: 'breakwater', sub, ...times });
}

suite('after the clock was set back', () => {
  test('what this server gave out before is right, and no failed login is told', async () => {
    await makeDev();
    const caller = await callerOf(await makeKey());
    const bearer = await bearerOf(caller);
    const { password } = await mintEcrPassword(caller, rig);
    setBack(hourMs);
    rig.invalidations.note({ kind: 'missed' });
    rig.audited.length = 0;
    equal(await answerTo(bearer), 'bearer');
    equal(await answerTo(basic('AWS', password)), 'ecr');
    deepEqual(rig.audited, []);
    await rig.identities.deletePrincipal(dev, rig.author);
  });

  test('one who was made before gets what is right', async () => {
    await makeDev();
    const key = await makeKey();
    setBack(hourMs);
    const caller = await callerOf(key);
    equal(await answerTo(await bearerOf(caller)), 'bearer');
    equal(await answerTo(basic('AWS', (await mintEcrPassword(caller, rig)).password)), 'ecr');
    await rig.identities.deletePrincipal(dev, rig.author);
  });

  test('one who is made anew is not who had the name before', async () => {
    await makeDev();
    const bearer = await bearerOf(await callerOf(`Bearer ${await jwt()}`));
    setBack(hourMs);
    equal(await answerTo(bearer), 'bearer');
    await rig.identities.deletePrincipal(dev, rig.author);
    await makeDev();
    equal(await answerTo(bearer), 'unauthorized');
    await rig.identities.deletePrincipal(dev, rig.author);
  });

  test('nobody is known for longer than a minute without being looked up', async () => {
    await makeDev();
    const key = await makeKey();
    equal(await answerTo(key), 'key');
    setBack(hourMs);
    await rig.metadata.identities.deletePrincipal(dev);
    equal(await answerTo(key), 'key');
    rig.clock.advance(60_000);
    equal(await answerTo(key), 'unauthorized');
  });

  test("an issuer's JWT that begins later is refused, which is no guess", async () => {
    await makeDev();
    const early = await Promise.all(Array.from({ length: 12 }, () => jwt()));
    setBack(hourMs);
    rig.audited.length = 0;
    const address = '198.51.100.1';
    for (const text of early) equal(await answerTo(basic('any', text), address), 'unauthorized');
    deepEqual(
      [...new Set(rig.audited.map(({ detail }) => detail['why']))],
      [`token of ${issuer.url} that begins later: the clocks differ`],
    );
    equal(await answerTo(await makeKey(), address), 'key');
    await rig.identities.deletePrincipal(dev, rig.author);
  });
});
