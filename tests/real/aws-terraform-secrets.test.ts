// Terraform makes rules with secrets and templates in a region that the configuration does not name; plans after each step are empty.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTerraform } from '../support/clients/terraform.ts';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';

/** `token`: the secret's value; `keep`: how many images the template's lifecycle policy leaves. */
const module = (token: string, keep: number): string => `
resource "aws_secretsmanager_secret" "hub" {
  name                    = "ecr-pullthroughcache/docker-hub"
  recovery_window_in_days = 7
  tags                    = { team = "platform" }
}
resource "aws_secretsmanager_secret_version" "hub" {
  secret_id     = aws_secretsmanager_secret.hub.id
  secret_string = jsonencode({ username = "ann", accessToken = "${token}" })
}
resource "aws_ecr_pull_through_cache_rule" "hub" {
  ecr_repository_prefix = "docker-hub"
  upstream_registry_url = "registry-1.docker.io"
  credential_arn        = aws_secretsmanager_secret.hub.arn
}
resource "aws_ecr_repository_creation_template" "hub" {
  prefix               = "docker-hub"
  description          = "What Docker Hub brings"
  image_tag_mutability = "MUTABLE"
  applied_for          = ["PULL_THROUGH_CACHE"]
  lifecycle_policy = jsonencode({ rules = [{
    rulePriority = 1
    selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = ${keep} }
    action       = { type = "expire" }
  }] })
}
data "aws_secretsmanager_secret" "hub" {
  name       = "ecr-pullthroughcache/docker-hub"
  depends_on = [aws_secretsmanager_secret.hub]
}
data "aws_secretsmanager_secret_version" "hub" {
  secret_id  = data.aws_secretsmanager_secret.hub.id
  depends_on = [aws_secretsmanager_secret_version.hub]
}
output "value" {
  value     = data.aws_secretsmanager_secret_version.hub.secret_string
  sensitive = true
}
output "arn" { value = data.aws_secretsmanager_secret.hub.arn }
`;

test('Terraform keeps a secret with its versions, the rule that shows it and the template of its repositories.', async (t) => {
  const breakwater = await startBreakwater({ config: rulesOnly() });
  t.after(() => breakwater.close());
  const terraform = await setTerraform(t, breakwater, 'eu-west-2');
  if (terraform === undefined) return;
  await terraform.write(module('first', 10));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the first apply');
  assert.match(
    String(await terraform.output('arn')),
    /^arn:aws:secretsmanager:eu-west-2:000000000000:secret:ecr-pullthroughcache\/docker-hub-\w{6}$/,
  );
  await terraform.write(module('second', 20));
  await terraform.apply();
  assert.equal(await terraform.output('value'), '{"accessToken":"second","username":"ann"}');
  await terraform.reimport('aws_ecr_repository_creation_template.hub', 'docker-hub');
  assert.ok(await terraform.planIsEmpty(), 'after the change and the imports');
  await terraform.destroy();
});
