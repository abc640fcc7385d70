// Terraform keeps users with keys, roles, policies and attachments; plans after each step are empty.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTerraform } from '../support/clients/terraform.ts';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';

interface Wanted {
  readonly status: 'Active' | 'Inactive';
  readonly team: string;
  /** What the own policy and the inline ones allow. */
  readonly action: string;
  readonly service: string;
  readonly sessionSeconds: number;
}

const before: Wanted = {
  status: 'Active',
  team: 'platform',
  action: 'ecr:BatchGetImage',
  service: 'ec2.amazonaws.com',
  sessionSeconds: 3600,
};
const after: Wanted = {
  status: 'Inactive',
  team: 'delivery',
  action: 'ecr:PutImage',
  service: 'eks.amazonaws.com',
  sessionSeconds: 7200,
};

const module = ({ status, team, action, service, sessionSeconds }: Wanted): string => `
data "aws_iam_policy_document" "own" {
  statement {
    actions   = ["${action}"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${service}"]
    }
  }
}
resource "aws_iam_user" "ci" {
  name = "ci"
  tags = { team = "${team}" }
}
resource "aws_iam_access_key" "ci" {
  user   = aws_iam_user.ci.name
  status = "${status}"
}
resource "aws_iam_user_policy" "ci" {
  name   = "own"
  user   = aws_iam_user.ci.name
  policy = data.aws_iam_policy_document.own.json
}
resource "aws_iam_policy" "team" {
  name        = "team"
  path        = "/teams/"
  description = "What teams may"
  policy      = data.aws_iam_policy_document.own.json
  tags        = { team = "${team}" }
}
resource "aws_iam_user_policy_attachment" "team" {
  user       = aws_iam_user.ci.name
  policy_arn = aws_iam_policy.team.arn
}
resource "aws_iam_role" "nodes" {
  name                 = "nodes"
  path                 = "/eks/"
  description          = "Of ${team}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = ${sessionSeconds}
  tags                 = { team = "${team}" }
}
resource "aws_iam_role_policy" "import" {
  name   = "import"
  role   = aws_iam_role.nodes.id
  policy = data.aws_iam_policy_document.own.json
}
resource "aws_iam_role_policy_attachment" "pull" {
  role       = aws_iam_role.nodes.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}
data "aws_iam_policy" "pull" {
  name = "AmazonEC2ContainerRegistryPullOnly"
}
data "aws_iam_role" "nodes" {
  name       = "nodes"
  depends_on = [aws_iam_role.nodes]
}
data "aws_iam_user" "ci" {
  user_name  = "ci"
  depends_on = [aws_iam_user.ci]
}
output "role" { value = data.aws_iam_role.nodes.arn }
output "pull" { value = data.aws_iam_policy.pull.arn }
`;

test('Terraform keeps users, keys, roles, policies and what is attached, through a change and imports.', async (t) => {
  const breakwater = await startBreakwater({ config: rulesOnly() });
  t.after(() => breakwater.close());
  const terraform = await setTerraform(t, breakwater);
  if (terraform === undefined) return;
  await terraform.write(module(before));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the first apply');
  assert.equal(await terraform.output('role'), 'arn:aws:iam::000000000000:role/eks/nodes');
  const pull = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly';
  assert.equal(await terraform.output('pull'), pull);
  await terraform.write(module(after));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the change');
  const team = 'arn:aws:iam::000000000000:policy/teams/team';
  for (const [address, id] of [
    ['aws_iam_user.ci', 'ci'],
    ['aws_iam_policy.team', team],
    ['aws_iam_role.nodes', 'nodes'],
    ['aws_iam_role_policy_attachment.pull', `nodes/${pull}`],
  ] as const)
    await terraform.reimport(address, id);
  assert.ok(await terraform.planIsEmpty(), 'after the imports');
  await terraform.destroy();
});

const guide = new URL('../../examples/ecr/pull-through.tf', import.meta.url);

test('W2: the rules, secrets and node role of a guide are applied as they are written, in a region that the configuration does not name.', async (t) => {
  const breakwater = await startBreakwater({ config: rulesOnly() });
  t.after(() => breakwater.close());
  const terraform = await setTerraform(t, breakwater, 'eu-west-2');
  if (terraform === undefined) return;
  await terraform.write(await readFile(guide, 'utf8'));
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty(), 'after the first apply');
  await terraform.destroy();
});
