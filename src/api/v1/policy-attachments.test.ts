import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi } from '../../../tests/support/rigs/api-rig.ts';

const arn = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser';

suite('attached policies', () => {
  test('one of AWS’s is attached to a user, counts at once, is listed, and is detached', async () => {
    await using api = await openApi();
    await api.ask('POST users', { body: { name: 'ann' } });
    const can = async (): Promise<boolean> => {
      const body = { principal: 'ann', action: 'push', repository: 'team/app' };
      return (await api.ask('POST access/can', { body })).json.allowed as boolean;
    };
    equal(await can(), false);
    const body = { user: 'ann', arn };
    equal((await api.ask('PUT attached-policies', { body })).status, 204);
    equal(await can(), true);
    const { json } = await api.ask('GET attached-policies', { query: { user: 'ann' } });
    deepEqual(json.items, [
      {
        account: home,
        user: 'ann',
        role: null,
        arn,
        name: 'AmazonEC2ContainerRegistryPowerUser',
        path: '/',
      },
    ]);
    equal((await api.ask('DELETE attached-policies', { query: body })).status, 204);
    equal(await can(), false);
    const told = api.audited.filter(({ action }) => action.endsWith('UserPolicy'));
    deepEqual(
      told.map(({ action, resource, detail }) => [action, resource, detail['policy']]),
      [
        ['iam:AttachUserPolicy', 'ann', arn],
        ['iam:DetachUserPolicy', 'ann', arn],
      ],
    );
  });

  test('a session of a role may what is attached to the role, and a user of its name may not', async () => {
    await using api = await openApi();
    await api.ask('POST users', { body: { name: 'nodes' } });
    const statement = {
      Effect: 'Allow',
      Action: 'sts:AssumeRole',
      Principal: { Service: 'ec2.amazonaws.com' },
    };
    const trustPolicy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await api.ask('POST roles', { body: { name: 'nodes', trustPolicy } });
    await api.ask('PUT attached-policies', { body: { role: 'nodes', arn } });
    const can = async (kind: string): Promise<boolean> => {
      const principal = `arn:aws:iam::${home}:${kind}/nodes`;
      const body = { principal, action: 'push', repository: 'team/app' };
      return (await api.ask('POST access/can', { body })).json.allowed as boolean;
    };
    deepEqual([await can('role'), await can('user')], [true, false]);
    const { json } = await api.ask('GET attached-policies', { query: { role: 'nodes' } });
    equal(json.items[0].role, 'nodes');
  });

  const refused: readonly (readonly [
    name: string,
    body: Readonly<Record<string, string>>,
    status: number,
    says: RegExp,
  ])[] = [
    ['nobody', { arn }, 400, /name a user or a role/],
    ['both', { user: 'ann', role: 'ann', arn }, 400, /name a user or a role/],
    ['a user who is not there', { user: 'bob', arn }, 404, /user\/bob/],
    ['a role that is not there', { role: 'ann', arn }, 404, /role\/ann/],
    ['a text that is no ARN', { user: 'ann', arn: 'pull' }, 400, /arn:aws:iam::/],
    [
      'a policy of AWS that is not known',
      { user: 'ann', arn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
      404,
      /AmazonEC2ContainerRegistryReadOnly/,
    ],
  ];
  for (const [name, body, status, says] of refused)
    test(`attaching is refused for ${name}`, async () => {
      await using api = await openApi();
      await api.ask('POST users', { body: { name: 'ann' } });
      const answer = await api.ask('PUT attached-policies', { body });
      equal(answer.status, status);
      match(JSON.stringify(answer.json), says);
    });
});
