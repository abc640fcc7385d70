// What Docker, old and new, prints of every refusal, beside docs/troubleshooting.md.
import { test } from 'node:test';
import { makeNodeNetwork } from '../support/processes/cluster.ts';
import { dockerKinds } from '../support/processes/docker.ts';
import { dockerClient } from '../support/refusals/clients.ts';
import { comparePrinted } from '../support/refusals/compare.ts';
import { setRefusalStage } from '../support/refusals/stage.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
  makeNodeNetwork();
}

const clients = [
  { client: 'docker-20.10', kind: dockerKinds[0] },
  { client: 'docker-29', kind: dockerKinds[1] },
] as const;

test('Docker says of every refusal what the page says.', { skip }, async (t) => {
  const stage = await setRefusalStage(t);
  if (stage === undefined) return;
  for (const { client, kind } of clients) {
    const provoke = kind && (await dockerClient(t, stage, kind));
    if (provoke === undefined) return;
    await comparePrinted(t, stage, client, provoke);
  }
});
