#!/bin/sh
# SPDX-License-Identifier: MIT
# The heap under a limit on address space that is set while the program runs. See address_limit.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
[ "$(ulimit -v)" = unlimited ] || skip "there is a limit already"
for way in preloaded shared; do
	build $way address_limit
	run $way address_limit
done
STRATA_OPTIONS=check:1 run preloaded address_limit
