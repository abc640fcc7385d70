// Terraform makes, changes, imports and destroys what a registry holds beside images; a plan after each step is empty.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { setTerraform } from '../support/clients/terraform.ts';

const module = (words: {
  readonly mutability: string;
  readonly team: string;
  readonly scanOnPush: boolean;
  readonly filter: string;
  readonly action: string;
}): string => `
data "aws_caller_identity" "own" {}
data "aws_ecr_authorization_token" "own" {}
data "aws_ecr_repositories" "all" { depends_on = [aws_ecr_repository.app] }

resource "aws_ecr_repository" "app" {
  name                 = "team/app"
  image_tag_mutability = "${words.mutability}"
  force_delete         = true
  image_scanning_configuration { scan_on_push = ${words.scanOnPush} }
  encryption_configuration { encryption_type = "KMS" }
  tags = { Team = "${words.team}" }
}
resource "aws_ecr_repository" "plain" { name = "team/plain" }
resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "pull access"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111111111111:root" }
      Action    = ["${words.action}", "ecr:GetDownloadUrlForLayer"]
    }]
  })
}
resource "aws_ecr_registry_policy" "own" {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "replication"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111111111111:root" }
      Action    = ["ecr:ReplicateImage"]
      Resource  = ["arn:aws:ecr:us-east-1:\${data.aws_caller_identity.own.account_id}:repository/*"]
    }]
  })
}
resource "aws_ecr_registry_scanning_configuration" "own" {
  scan_type = "BASIC"
  rule {
    scan_frequency = "SCAN_ON_PUSH"
    repository_filter {
      filter      = "${words.filter}"
      filter_type = "WILDCARD"
    }
  }
}
resource "aws_ecr_replication_configuration" "own" {
  replication_configuration {
    rule {
      destination {
        region      = "eu-west-1"
        registry_id = data.aws_caller_identity.own.account_id
      }
      repository_filter {
        filter      = "${words.team}"
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
resource "aws_ecr_account_setting" "scope" {
  name  = "REGISTRY_POLICY_SCOPE"
  value = "V2"
}
output "user" {
  value     = data.aws_ecr_authorization_token.own.user_name
  sensitive = true
}
output "all" { value = sort(data.aws_ecr_repositories.all.names) }
output "uri" { value = aws_ecr_repository.app.repository_url }
`;

test('Terraform applies, plans empty, changes, imports and destroys.', async (t) => {
  const breakwater = await startBreakwater({ config: rulesOnly() });
  t.after(() => breakwater.close());
  const terraform = await setTerraform(t, breakwater);
  if (terraform === undefined) return;
  const first = {
    mutability: 'MUTABLE',
    team: 'aa',
    scanOnPush: true,
    filter: 'prod*',
    action: 'ecr:BatchGetImage',
  };
  await terraform.write(module(first));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the first apply');
  assert.equal(await terraform.output('user'), 'AWS');
  assert.equal(await terraform.output('uri'), `${breakwater.host}/team/app`);
  const changed = {
    mutability: 'IMMUTABLE',
    team: 'bb',
    scanOnPush: false,
    filter: '*',
    action: 'ecr:ListImages',
  };
  await terraform.write(module(changed));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the change');
  assert.deepEqual(await terraform.output('all'), ['team/app', 'team/plain']);
  await terraform.reimport('aws_ecr_repository.plain', 'team/plain');
  await terraform.reimport('aws_ecr_repository_policy.app', 'team/app');
  assert.ok(await terraform.planIsEmpty(), 'after the import');
  await terraform.destroy();
});
