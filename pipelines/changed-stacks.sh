#!/usr/bin/env bash
# Names the stacks that a change since BASE may touch: all of them where the program changed, else those whose own
# file did. Of all stacks that have a file, or of those that are named: changed-stacks.sh BASE [STACK …].
set -euo pipefail
base=${1:?usage: changed-stacks.sh BASE [STACK …]}
shift
cd "$(dirname "$0")/.."

if [ "$#" -eq 0 ]; then
  for file in Pulumi.*.yaml; do set -- "$@" "${file:7:-5}"; done
fi
changed=$(git diff --name-only "$base" --)
# Everything but tests, documents and the pipelines themselves can change what a stack becomes.
program='^(__main__\.py|Pulumi\.yaml|requirements\.txt|(catalog|config|planning|components|stacks|policy)/)'
for stack in "$@"; do
  if grep -Eq "$program" <<< "$changed" || grep -Fxq "Pulumi.$stack.yaml" <<< "$changed"; then
    echo "$stack"
  fi
done
