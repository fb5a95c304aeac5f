#!/usr/bin/env bash
# Writes a report as a comment of a pull request, in place of the one it wrote before: comment.sh NUMBER FILE.
# Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
number=${1:?usage: comment.sh NUMBER FILE}
file=${2:?usage: comment.sh NUMBER FILE}
: "${GITHUB_REPOSITORY:?}"
marker=$(tail -n 1 "$file")
comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"
# Only its own: somebody else's comment may quote the marker.
mine='.[] | select(.user.login == "github-actions[bot]" and (.body | sub("\\s+$"; "") | endswith(env.MARKER))) | .id'
before=$(MARKER=$marker gh api --paginate "$comments" --jq "$mine" | head -n 1)
if [ -n "$before" ]; then
  gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$before" --field "body=@$file" --silent
else
  gh api --method POST "$comments" --field "body=@$file" --silent
fi
