#!/usr/bin/env bash
# Writes each changed stack's report as a comment of a pull request, in place of the one it wrote before, and takes back
# what it said of a stack that is no longer changed: comments.sh NUMBER FOLDER [STACK …]. FOLDER holds reports by
# `google-STACK`, which is said rather, and `sandbox-STACK`. Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
number=${1:?usage: comments.sh NUMBER FOLDER [STACK …]}
folder=${2:?usage: comments.sh NUMBER FOLDER [STACK …]}
shift 2
: "${GITHUB_REPOSITORY:?}"
issues="repos/$GITHUB_REPOSITORY/issues"

# Only its own: somebody else's comment may quote the mark at a report's end.
mark='<!-- inference-platform report of (?<stack>[a-z0-9-]+) -->\\s*$'
mine=".[] | select(.user.login == \"github-actions[bot]\") | \"\(.body | capture(\"$mark\").stack) \(.id)\""
own=$(gh api --paginate "$issues/$number/comments" --jq "$mine")
declare -A written=()
while read -r stack id; do
  [ -z "$stack" ] || written[$stack]=$id
done <<< "$own"

for stack in "$@"; do
  for kind in google sandbox; do
    file="$folder/$kind-$stack/report.md"
    [ -f "$file" ] || continue
    if [ -n "${written[$stack]:-}" ]; then
      gh api --method PATCH "$issues/comments/${written[$stack]}" --field "body=@$file" --silent
    else
      gh api --method POST "$issues/$number/comments" --field "body=@$file" --silent
    fi
    break
  done
  unset "written[$stack]"
done

for stack in "${!written[@]}"; do
  body="✅ This branch no longer changes \`$stack\`."$'\n\n'"<!-- inference-platform report of $stack -->"
  gh api --method PATCH "$issues/comments/${written[$stack]}" --raw-field "body=$body" --silent
done
