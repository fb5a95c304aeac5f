#!/usr/bin/env bash
# Plans every stack into a folder, as Markdown. Fails, after all of them, if any has no plan.
set -euo pipefail
out=${1:?usage: plan-all.sh FOLDER}
cd "$(dirname "$0")/.."
mkdir -p "$out"
failed=0
for file in Pulumi.*.yaml; do
  stack=${file:7:-5}
  if .venv/bin/python -m planning stack "$stack" --format markdown > "$out/$stack.md"; then
    echo "planned: $stack"
  else
    echo "no plan: $stack" >&2
    failed=1
  fi
done
exit "$failed"
