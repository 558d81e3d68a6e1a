#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that use liburcu themselves, in each of its flavours.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library

# flavour NAME HEADER LIBRARY FLAGS...
flavour() {
	name=$1
	header=$2
	urcu=$3
	shift 3
	echo "#include <$header>" >"$work/header.c"
	if ! $CC $flags "$@" -fsyntax-only "$work/header.c" 2>"$work/header.log"; then
		echo "$name: left out, no <$header>"
		return 0
	fi
	for way in preloaded shared; do
		build "$way" urcu -DFLAVOUR_HEADER="<$header>" "$@" "$urcu"
		run "$way" urcu || fail "$name: $way"
		echo "$name: $way: passed"
	done
}

flavour memb urcu.h -lurcu -DRCU_MEMBARRIER
flavour mb urcu.h -lurcu-mb -DRCU_MB
flavour qsbr urcu-qsbr.h -lurcu-qsbr
flavour bp urcu-bp.h -lurcu-bp
