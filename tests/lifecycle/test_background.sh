#!/bin/sh
# SPDX-License-Identifier: MIT
# The optional thread. See background.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

for each in preloaded shared; do
	possible "$each" || continue
	build "$each" background -rdynamic
	run "$each" background none || fail "$each: a thread that nobody asked for"
	export STRATA_OPTIONS=background:1,decay_ms:200,retain:256M
	run "$each" background || fail "$each: background:1"
	for function in new calloc realloc aligned_alloc posix_memalign; do
		run "$each" background $function || fail "$each: background:1, by $function alone"
	done
	unset STRATA_OPTIONS
	echo "background: $each: passed"
done
