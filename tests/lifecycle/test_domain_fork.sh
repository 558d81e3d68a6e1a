#!/bin/sh
# SPDX-License-Identifier: MIT
# fork with a table of functions of a domain in force: strata calls liburcu's handlers, or the program does. See
# domain_fork.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

echo '#include <urcu-bp.h>' >"$work/header.c"
$CC $flags -fsyntax-only "$work/header.c" 2>/dev/null || skip "no <urcu-bp.h>"

for each in shared archive static; do
	if possible "$each"; then
		build "$each" domain_fork -lurcu-bp
		run "$each" domain_fork || fail "$each"
		STRATA_OPTIONS=domain_debug:1 run "$each" domain_fork || fail "$each: domain_debug:1"
		STRATA_OPTIONS=urcu_fork:0 run "$each" domain_fork own || fail "$each: own"
		echo "domain_fork: $each: passed"
	else
		echo "domain_fork: $each: left out, cannot be linked so here"
	fi
done
