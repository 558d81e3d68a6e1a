#!/bin/sh
# SPDX-License-Identifier: MIT
# Where the user's flags ask for link-time optimisation the operators are compiled without, as src/local.mk says: what make would run.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -r "$top_builddir/Makefile" ] || skip "no Makefile in $top_builddir"
unset MAKEFLAGS MFLAGS
(cd "$top_builddir" && "${MAKE:-make}" -n V=1 -W src/operators.cc CXXFLAGS="-O2 -flto=auto" src/libstrata_la-operators.lo) >"$work/commands"
last=$(grep -o -- ' -f[a-z-]*lto[^ ]*' "$work/commands" | tail -n 1)
[ "$last" = " -fno-lto" ] || {
	cat "$work/commands" >&2
	fail "the last word is '$last'"
}
