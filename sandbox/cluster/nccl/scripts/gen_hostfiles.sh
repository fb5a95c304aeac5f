#!/bin/bash
mkdir -p "hostfiles$#"
for ranks in 1 2 4 8; do
    for host in "$@"; do echo "$host port=222 slots=$ranks"; done > "hostfiles$#/hostfile$ranks"
done
