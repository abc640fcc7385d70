// What podman, skopeo and crane print of every refusal, beside docs/troubleshooting.md.
import { test } from 'node:test';
import { makeNodeNetwork } from '../support/processes/cluster.ts';
import { plainClients } from '../support/refusals/clients.ts';
import { comparePrinted } from '../support/refusals/compare.ts';
import { setRefusalStage } from '../support/refusals/stage.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
  makeNodeNetwork();
}

test('podman, skopeo and crane say of every refusal what the page says.', { skip }, async (t) => {
  const stage = await setRefusalStage(t);
  if (stage === undefined) return;
  const clients = await plainClients(t, stage);
  if (clients === undefined) return;
  for (const client of ['podman', 'skopeo', 'crane'] as const)
    await comparePrinted(t, stage, client, clients[client]);
});
