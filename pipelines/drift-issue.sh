#!/usr/bin/env bash
# Keeps one issue of a stack's drift: opened or updated while there is some, closed when there is none.
# drift-issue.sh STACK FILE, where FILE is missing if nothing drifted. Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
stack=${1:?usage: drift-issue.sh STACK FILE}
file=${2:?usage: drift-issue.sh STACK FILE}
: "${GITHUB_REPOSITORY:?}"
title="Drift: $stack"
open=$(TITLE=$title gh issue list --repo "$GITHUB_REPOSITORY" --state open --author app/github-actions --limit 200 \
  --json number,title --jq '.[] | select(.title == env.TITLE) | .number' | head -n 1)
if [ -f "$file" ]; then
  if [ -n "$open" ]; then
    gh issue edit "$open" --repo "$GITHUB_REPOSITORY" --body-file "$file"
  else
    gh issue create --repo "$GITHUB_REPOSITORY" --title "$title" --body-file "$file"
  fi
elif [ -n "$open" ]; then
  gh issue close "$open" --repo "$GITHUB_REPOSITORY" --comment "The last look found no drift."
fi
