// What a node prints and logs of every refusal, beside docs/troubleshooting.md.
import { test } from 'node:test';
import { makeNodeNetwork } from '../support/processes/cluster.ts';
import { nodeClients } from '../support/refusals/clients.ts';
import { comparePrinted } from '../support/refusals/compare.ts';
import { setRefusalStage } from '../support/refusals/stage.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
  makeNodeNetwork();
}

test('containerd and its CRI say of every refusal what the page says.', { skip }, async (t) => {
  const stage = await setRefusalStage(t);
  if (stage === undefined) return;
  const clients = await nodeClients(t, stage);
  if (clients === undefined) return;
  for (const client of ['ctr', 'kubelet', 'containerd-log'] as const)
    await comparePrinted(t, stage, client, clients[client]);
});
