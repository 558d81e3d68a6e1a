#!/bin/sh
# SPDX-License-Identifier: MIT
# A thread that is stopped inside the library stalls nobody. See stopped.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
build preloaded stopped "$sources/stopped_load.c"
name=$(readlink -f "$library")
status=0
run preloaded stopped "${name##*/}" || status=$?
exit "$status"
