#!/usr/bin/env bash
# Names the stacks that a change since BASE may touch: all of them where the program changed, else those whose own
# file did. With --json as a list of strings.
set -euo pipefail
base=${1:?usage: changed-stacks.sh BASE [--json]}
cd "$(dirname "$0")/.."

all() { for file in Pulumi.*.yaml; do [ "$file" = Pulumi.yaml ] || echo "${file:7:-5}"; done; }

changed=$(git diff --name-only "$base" --)
# Everything but tests, documents and the pipelines themselves can change what a stack becomes.
program='^(__main__\.py|Pulumi\.yaml|requirements\.txt|(catalog|config|planning|components|stacks|policy)/)'
if grep -Eq "$program" <<< "$changed"; then
  stacks=$(all)
else
  stacks=$(all | while read -r stack; do ! grep -Fxq "Pulumi.$stack.yaml" <<< "$changed" || echo "$stack"; done)
fi

if [ "${2:-}" = --json ]; then
  python3 -c 'import json, sys; print(json.dumps(sys.stdin.read().split()))' <<< "$stacks"
elif [ -n "$stacks" ]; then
  echo "$stacks"
fi
