#!/bin/sh
# SPDX-License-Identifier: MIT
# mlockall does not make the library's reservations resident. See locked.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
build preloaded locked
status=0
run preloaded locked || status=$?
exit "$status"
