#!/usr/bin/env bash
# Asks where STACK is not what its last update made it, and writes that to FOLDER/drift.md; no file, no drift.
# That it could not be told is written there too.
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
rm -f "$out/events.jsonl"
[ "$status" -ne 0 ] || rm -f "$out/drift.md"
