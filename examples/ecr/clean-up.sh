#!/usr/bin/env bash
# Takes a pull-through prefix away, the rule first: a pull would make the repositories again. ./clean-up.sh PREFIX [--force]
# Without --force a repository that has images stays. `breakwater repos rm --prefix PREFIX --with-rule` does all of it in one command.
set -uo pipefail
prefix=${1:?a prefix, as k8s}
shift

aws ecr delete-pull-through-cache-rule --ecr-repository-prefix "$prefix"
status=0
for name in $(aws ecr describe-repositories --query 'repositories[].[repositoryName]' --output text | grep "^$prefix/"); do
  aws ecr delete-repository --repository-name "$name" "$@" || status=1
done
exit $status
