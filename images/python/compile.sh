#!/bin/sh
# Compiles a folder's modules. The bytecode holds a hash of its source instead of a time, so that it is the same
# whenever it is made; and it is never compared with the source, which does not change in an image.
# The models of the Kubernetes client are left out, but for those that kopf imports: they are many.
set -eu

imported='__init__|v1_object_meta|v1_owner_reference|v1_managed_fields_entry'
/opt/usher/bin/python -m compileall -q --invalidation-mode unchecked-hash \
    -x "/kubernetes/(aio/)?client/models/(?!($imported)[.]py)" "$1"
