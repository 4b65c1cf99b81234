#!/bin/sh
# Removes what never runs from a virtual environment: symbols for debuggers, and the Kubernetes client's generated
# classes for each API. Usher and kopf call the API server by path (tests/unit/dev/test_images.py keeps it so).
set -eu

find "$1" -type f -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
find "$1" -type f -path '*/kubernetes/*/api/*_api.py' -delete
