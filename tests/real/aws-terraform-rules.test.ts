// Terraform makes, changes, imports and destroys rules; a plan after each step is empty.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTerraform } from '../support/clients/terraform.ts';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';

const rules = (role: string): string => `
resource "aws_ecr_pull_through_cache_rule" "k8s" {
  ecr_repository_prefix = "k8s"
  upstream_registry_url = "registry.k8s.io"
}
resource "aws_ecr_pull_through_cache_rule" "hub" {
  ecr_repository_prefix = "docker-hub"
  upstream_registry_url = "registry-1.docker.io"
  credential_arn        = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/docker-hub"
}
resource "aws_ecr_pull_through_cache_rule" "team" {
  ecr_repository_prefix      = "team/ghcr"
  upstream_registry_url      = "ghcr.io"
  upstream_repository_prefix = "team-a"
  custom_role_arn            = "arn:aws:iam::000000000000:role/${role}"
}
resource "aws_ecr_pull_through_cache_rule" "root" {
  ecr_repository_prefix = "ROOT"
  upstream_registry_url = "public.ecr.aws"
}
data "aws_ecr_pull_through_cache_rule" "hub" {
  ecr_repository_prefix = aws_ecr_pull_through_cache_rule.hub.ecr_repository_prefix
}
output "hub" { value = data.aws_ecr_pull_through_cache_rule.hub.upstream_registry_url }
`;

test('Terraform makes, changes, imports and destroys rules, of which none is asked for.', async (t) => {
  const folder = await makeRunFolder('secrets');
  t.after(() => removeRunFolder(folder));
  const secretsFile = join(folder, 'secrets.yaml');
  const secret = { 'ecr-pullthroughcache/docker-hub': { username: 'ann', accessToken: 't0ken' } };
  await writeFile(secretsFile, JSON.stringify(secret), { mode: 0o600 });
  const breakwater = await startBreakwater({ config: { ...rulesOnly(), secretsFile } });
  t.after(() => breakwater.close());
  const terraform = await setTerraform(t, breakwater);
  if (terraform === undefined) return;
  await terraform.write(rules('pull'));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the first apply');
  assert.equal(await terraform.output('hub'), 'registry-1.docker.io');
  await terraform.write(rules('other'));
  await terraform.apply();
  await terraform.reimport('aws_ecr_pull_through_cache_rule.team', 'team/ghcr');
  assert.ok(await terraform.planIsEmpty(), 'after the change and the import');
  await terraform.destroy();
});
