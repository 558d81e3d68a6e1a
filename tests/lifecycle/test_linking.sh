#!/bin/sh
# SPDX-License-Identifier: MIT
# One program with threads, linked in every way, with settings and under limits.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

each_way plain >"$work/ways"
grep -v '^fine$' "$work/ways"
[ "$(grep -c '^fine$' "$work/ways")" -eq "$(grep -c passed "$work/ways")" ] || fail "said nothing"

for each in preloaded static; do
	possible "$each" || continue
	for options in check:1 cache:0 decay_ms:0,retain:0 huge:always reserve:64M purge:free; do
		STRATA_OPTIONS=$options run "$each" plain >/dev/null || fail "$each: $options"
		echo "plain: $each: $options: passed"
	done
	# A limit of the address space, in KiB: what is reserved has to be smaller.
	(
		ulimit -v 1048576
		run "$each" plain >/dev/null
	) || fail "$each: ulimit -v 1048576"
	echo "plain: $each: ulimit -v 1048576: passed"
done
