#!/bin/bash
for host in "$@"; do ssh -o StrictHostKeyChecking=no -p 222 "$host" echo "Hello from $host"; done
