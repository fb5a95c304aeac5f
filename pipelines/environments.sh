#!/usr/bin/env bash
# Names the stacks that are environments: those whose file has the label `environment`, on a line of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -lE '^    environment: ' Pulumi.*.yaml | sed -E 's/^Pulumi\.(.*)\.yaml$/\1/'
