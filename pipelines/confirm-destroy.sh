#!/usr/bin/env bash
# Refuses to destroy STACK unless it is an environment and CONFIRM is its name once more.
set -euo pipefail
: "${STACK:?name the stack}" "${CONFIRM?name the stack once more}"
cd "$(dirname "$0")"
if ! ./environments.sh | grep -Fxq -- "$STACK"; then
  echo "::error::nothing is destroyed: the environments are $(./environments.sh | paste -sd ' ')"
  exit 1
fi
if [ "$CONFIRM" != "$STACK" ]; then
  echo "::error::nothing is destroyed: the two names differ"
  exit 1
fi
