#!/bin/sh
# Compiles a folder's modules. The bytecode holds a hash of its source instead of a time, so that it is the same
# whenever it is made; and it is never compared with the source, which does not change in an image.
# The models of the Kubernetes client are left out: they are many, and three of them are ever imported.
set -eu

/opt/usher/bin/python -m compileall -q --invalidation-mode unchecked-hash -x '/kubernetes/(aio/)?client/models/' "$1"
