#!/usr/bin/env bash
# Keeps one issue of a stack's drift: opened or updated while there is some, or while nobody can tell, and closed when
# there is none. drift-issue.sh STACK FOLDER, where FOLDER is drift.sh's. Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
stack=${1:?usage: drift-issue.sh STACK FOLDER}
folder=${2:?usage: drift-issue.sh STACK FOLDER}
: "${GITHUB_REPOSITORY:?}"
if [ ! -f "$folder/status" ]; then
  echo "$stack was not looked at; what was said of it stands"
  exit
fi
issues="repos/$GITHUB_REPOSITORY/issues"
title="Drift: $stack"
# Only its own: anybody may give an issue that title.
mine='.[] | select(.title == env.TITLE and .user.login == "github-actions[bot]" and .pull_request == null) | .number'
open=$(TITLE=$title gh api --paginate "$issues?state=open&per_page=100" --jq "$mine" | head -n 1)
if [ "$(cat "$folder/status")" != 0 ]; then
  if [ -n "$open" ]; then
    gh api --method PATCH "$issues/$open" --field "body=@$folder/drift.md" --silent
  else
    gh api --method POST "$issues" --raw-field "title=$title" --field "body=@$folder/drift.md" --silent
  fi
elif [ -n "$open" ]; then
  gh api --method POST "$issues/$open/comments" --raw-field "body=The last look found no drift." --silent
  gh api --method PATCH "$issues/$open" --raw-field state=closed --silent
fi
