#!/bin/sh
# SPDX-License-Identifier: MIT
# The JSON-like server in short, on malloc and on typed free lists, with and without check:1: every answer is right, every
# request is answered, and no value lives at the end.
set -eu

[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }
"$top_srcdir/bench/servers/run" -b "$top_builddir" -c 6 -n 150 -r 1 glibc strata typed
STRATA_OPTIONS=check:1 "$top_srcdir/bench/servers/run" -b "$top_builddir" -c 3 -n 50 -r 1 typed
