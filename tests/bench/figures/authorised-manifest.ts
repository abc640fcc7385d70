import { readFileSync } from 'node:fs';
import { administratorOf, basic, callApi } from '../administrator.ts';
import { alternate, ratioOf } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { measureRequests } from '../load-job.ts';
import { cpuSeconds } from '../processes.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, pullWhole, settle } from './cold-blob.ts';

const connections = 32;
const policyFile = new URL('../../../examples/policies/ten-statements.json', import.meta.url);

/** One manifest by its tag: by a user whom a policy of the repository allows, and of a repository without one by anybody. */
export const authorisedManifest: Figure = {
  name: 'authorised-manifest',
  async measure(bench) {
    const layers = Array.from({ length: 10 }, (_, index) => ({ seed: `m${index}`, size: 1024 }));
    const tag = 'latest';
    const open = await bench.upstream.publish({ repository: 'bench/open', tag, layers });
    const guarded = await bench.upstream.publish({ repository: 'bench/guarded', tag, layers });
    const system = await bench.startBreakwater('authorised');
    for (const image of [open, guarded]) await pullWhole(bench, system, imagePaths(system, image));
    const administrator = administratorOf(bench.folder('authorised'));
    await callApi(system, administrator, 'PUT', 'repository-policy', {
      repository: `docker.io/${guarded.repository}`,
      policy: readFileSync(policyFile, 'utf8'),
    });
    const token = await ecrToken(system, administrator, 'nodes');
    const costs = new Map<string, number>();
    const requests = async (
      name: string,
      repository: string,
      authorization: string | undefined,
      durationMs: number,
    ): Promise<number> => {
      const { host, port, tls } = system;
      const path = system.path(repository, `manifests/${tag}`);
      const job = { host, port, tls, path, connections, durationMs };
      const before = cpuSeconds(system.pid);
      const rate = await measureRequests(bench.processes, {
        ...job,
        ...(authorization !== undefined && { authorization }),
      });
      costs.set(name, (cpuSeconds(system.pid) - before) / (rate * (durationMs / 1000)));
      return rate;
    };
    const cases = [
      { name: 'ECR token', repository: guarded.repository, authorization: token },
      { name: 'anonymous', repository: open.repository, authorization: undefined },
    ];
    for (const { name, repository, authorization } of cases)
      await requests(name, repository, authorization, 1000);
    await settle(system);
    const readings = await alternate(
      bench.runs,
      cases.map(({ name, repository, authorization }) => ({
        name,
        measure: () => requests(name, repository, authorization, bench.quick ? 1000 : 2000),
      })),
    );
    await system.stop();
    const row: Row = {
      title: 'Warm manifest by tag, authorised',
      unit: 'requests/s',
      readings,
      ratios: ratioOf(readings, 'ECR token', 'anonymous', { atLeast: 0.8 }),
      notes: [
        `${connections} connections; the token's repository has a policy of 10 statements, anonymous asks one without`,
        `server CPU: ${[...costs].map(([name, cost]) => `${name} ${(cost * 1e6).toFixed(0)} µs`).join(', ')}`,
      ],
    };
    return [row];
  },
};

/** The `Authorization` that `aws ecr get-login-password` gives a user who may ask for it, and whom only the repository's policy lets pull. */
async function ecrToken(system: System, administrator: string, user: string): Promise<string> {
  await callApi(system, administrator, 'POST', 'users', { name: user });
  const action = 'ecr:GetAuthorizationToken';
  await callApi(system, administrator, 'PUT', 'identity-policies', {
    user,
    name: 'login',
    policy: JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }],
    }),
  });
  const key = await callApi(system, administrator, 'POST', 'access-keys', { user });
  const own = basic(String(key['accessKeyId']), String(key['secretAccessKey']));
  const answer = await callApi(system, own, 'POST', 'authorization-token', {});
  return `Basic ${String(answer['authorizationToken'])}`;
}
