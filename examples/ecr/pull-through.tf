# Five upstreams, the secrets of two of them and the role of nodes that pull and import. The provider is that of docs/ecr.md.
# The secrets' values are put later, by hand, as {"username": …, "accessToken": …}; until then nothing new comes through their rules.

resource "aws_iam_role" "node" {
  name = "eks-node"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  managed_policy_arns = [
    "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
    "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
    "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy",
  ]
  inline_policy {
    name = "ecr-pull-through"
    policy = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:BatchImportUpstreamImage"]
        Resource = "*"
      }]
    })
  }
}

resource "aws_secretsmanager_secret" "hub" {
  name                    = "ecr-pullthroughcache/docker-hub"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret" "github" {
  name                    = "ecr-pullthroughcache/github"
  recovery_window_in_days = 7
}

resource "aws_ecr_pull_through_cache_rule" "hub" {
  ecr_repository_prefix = "docker-hub"
  upstream_registry_url = "registry-1.docker.io"
  credential_arn        = aws_secretsmanager_secret.hub.arn
}

resource "aws_ecr_pull_through_cache_rule" "github" {
  ecr_repository_prefix = "github"
  upstream_registry_url = "ghcr.io"
  credential_arn        = aws_secretsmanager_secret.github.arn
}

resource "aws_ecr_pull_through_cache_rule" "public" {
  for_each              = { k8s = "registry.k8s.io", ecr = "public.ecr.aws", quay = "quay.io" }
  ecr_repository_prefix = each.key
  upstream_registry_url = each.value
}
