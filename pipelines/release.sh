#!/usr/bin/env bash
# Is this tag a release? It is signed, bears the version of pyproject.toml, and CHANGELOG.md says what changed; that
# section is printed. release.sh TAG. Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
tag=${1:?usage: release.sh TAG}
: "${GITHUB_REPOSITORY:?}"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
if [ "$tag" != "v$version" ]; then
  echo "error: the tag is $tag and pyproject.toml says $version; tag v$version, or change the version first" >&2
  exit 1
fi
notes=$(awk -v heading="## $version" '/^## / { inside = ($0 == heading) } inside && !/^## /' CHANGELOG.md)
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "error: CHANGELOG.md has no section with the heading '## $version'; take '(not released yet)' out of it" >&2
  exit 1
fi
object=$(gh api "repos/$GITHUB_REPOSITORY/git/ref/tags/$tag" --jq '.object | select(.type == "tag") | .sha')
if [ -z "$object" ]; then
  echo "error: $tag is a plain name of a commit and cannot be signed; git tag --sign $tag" >&2
  exit 1
fi
signed=$(gh api "repos/$GITHUB_REPOSITORY/git/tags/$object" --jq '"\(.verification.verified) \(.verification.reason)"')
if [ "${signed%% *}" != true ]; then
  echo "error: GitHub cannot verify who signed $tag (${signed#* }); add the key to the account that signs" >&2
  exit 1
fi
printf '%s\n' "$notes"
