#!/bin/sh
# Options and a configuration file alone are for the server; anything else is a program to run.
set -eu

case "${1:-redis-server}" in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
    shift
    # In a container the network is the pod's own: listening on all of it without a password is the stock image's way.
    set -- redis-server --protected-mode no --bind '*' "$@"
fi
exec "$@"
