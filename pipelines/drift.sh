#!/usr/bin/env bash
# Asks where STACK is not what its last update made it. FOLDER/drift.md says what was found, for people, and
# FOLDER/status for scripts: 0 nothing, 3 drift, 1 that it could not be told.
set -euo pipefail
out=${1:?usage: drift.sh FOLDER}
: "${STACK:?name the stack}"
cd "$(dirname "$0")/.."
mkdir -p "$out"
export PULUMI_DEBUG_COMMANDS=true
pulumi preview --stack "$STACK" --refresh --expect-no-changes --non-interactive \
  --event-log "$out/events.jsonl" || true
status=0
.venv/bin/python -m review.drift --stack "$STACK" --events "$out/events.jsonl" > "$out/drift.md" || status=$?
echo "$status" > "$out/status"
cat "$out/drift.md"
# What the Pulumi engine was told of every resource is nobody's to keep.
rm -f "$out/events.jsonl"
