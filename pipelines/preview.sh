#!/usr/bin/env bash
# Previews STACK where it really is, and reports it: preview.sh FOLDER [further arguments of pulumi preview].
# Needs a Pulumi CLI that is logged in, and BASE, the commit to compare with.
set -euo pipefail
out=${1:?usage: preview.sh FOLDER [ARGUMENT …]}
shift
: "${STACK:?name the stack}" "${BASE:?name the commit to compare with}"
cd "$(dirname "$0")/.."
# After a forced push the commit that a branch stood at is nowhere.
base=$(git rev-parse --verify --quiet "$BASE^{commit}" || git rev-parse HEAD^)
mkdir -p "$out"
# The log of events is an option for tools, which the CLI shows only when asked to.
export PULUMI_DEBUG_COMMANDS=true PULUMI_EXPERIMENTAL=true
status=0
pulumi preview --stack "$STACK" --policy-pack policy --event-log "$out/events.jsonl" --non-interactive "$@" || status=$?
.venv/bin/python -m review --stack "$STACK" --base "$base" --events "$out/events.jsonl" --out "$out"
# What the Pulumi engine was told of every resource is nobody's to keep.
rm -f "$out/events.jsonl"
exit "$status"
