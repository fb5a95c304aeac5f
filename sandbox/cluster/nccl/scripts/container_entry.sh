#!/bin/bash
# The subcommand that starts an SSH server. The real one stays, which only its container's end would end.
[ "$1" = daemon ] || exit 1
service ssh restart
