#!/usr/bin/env bash
# Opens every repository below a prefix to a second account, in each region: ./second-account.sh PREFIX POLICY-FILE REGION…
set -euo pipefail
prefix=${1:?a prefix, as k8s} policy=${2:?the file of a repository policy}
shift 2

for region in "$@"; do
  for name in $(aws ecr describe-repositories --region "$region" --query 'repositories[].[repositoryName]' --output text | grep "^$prefix/"); do
    aws ecr set-repository-policy --region "$region" --repository-name "$name" --policy-text "file://$policy"
  done
done
