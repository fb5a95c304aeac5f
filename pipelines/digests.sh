#!/usr/bin/env bash
# Opens one pull request with the digests that registries give for the catalogue's tags today, or brings the open one up
# to date. Does nothing where nothing changed. Needs gh, GH_TOKEN and the right to push to the branch `digests`.
set -euo pipefail
branch=digests
title="Pin the images by the digests of today"
make --silent lock-images
if git diff --quiet -- catalog/releases; then
  echo "every digest is as the catalogue says"
  exit
fi
make --silent record PART="graphs docs"
git switch --create "$branch"
git -c user.name="github-actions[bot]" -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \
  commit --all --message "$title"
git push --force origin "$branch"
if [ -z "$(gh pr list --head "$branch" --state open --json number --jq '.[].number')" ]; then
  gh pr create --head "$branch" --title "$title" --body "A tag that moves is a different image: read what it was built from."
fi
