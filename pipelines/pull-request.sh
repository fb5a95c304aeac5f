#!/usr/bin/env bash
# What a pull request is put through, for any machine with this repository and no cloud rights at all:
# checks, tests, the plan of every stack, and a report of each stack that changed since BASE.
#
#   BASE    commit to compare with; default: where this branch left the main one
#   CHECKS  make's targets to run first; default: check lint-pipelines test
#   STACKS  stacks to report; default: those that changed
#   OUT     folder for plans and reports; default: report
#
# Ends with 1 if a check or a plan fails, and with 3 if a preview fails or breaks a rule.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-report}
base=${BASE:-$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main)}

make setup
for target in ${CHECKS-check lint-pipelines test}; do
  make "$target"
done

pipelines/plan-all.sh "$out/plans"

status=0
for stack in ${STACKS-$(pipelines/changed-stacks.sh "$base")}; do
  echo "── $stack"
  make report STACK="$stack" BASE="$base" REPORT="$out/$stack" || status=3
done
exit "$status"
