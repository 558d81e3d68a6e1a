# SPDX-License-Identifier: MIT
# For the scripts beside it, to be sourced. Programs are built when the test runs: with each C++ library that is there,
# and linked as a user would. Sets: sources, library (shared), archive, static_libs; works in a folder of its own.
set -eu

: "${top_srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${CXX:=c++}"
sources=$top_srcdir/tests/cxx
library=${STRATA_LIBRARY:-$top_builddir/src/.libs/libstrata.so.0}
archive=${STRATA_ARCHIVE:-$top_builddir/src/.libs/libstrata.a}
static_libs="-lurcu-bp -lpthread"
flags="-std=c++17 -fsized-deallocation -O1 -Wall -Wextra -pthread"

# The options of a user's own shell are not the test's.
unset LD_PRELOAD STRATA_OPTIONS

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

skip() {
	echo "skipped: $*"
	exit 77
}

fail() {
	echo "failed: $*" >&2
	exit 1
}

# usable COMPILER FLAGS...: whether a C++ program can be built with them.
usable() {
	echo 'int main() { return 0; }' >"$work/usable.cc"
	"$@" -o "$work/usable" "$work/usable.cc" >"$work/usable.log" 2>&1
}

# check_operators NAME COMPILER FLAGS...: operators.cc linked with the shared library, and preloaded.
check_operators() {
	name=$1
	shift
	echo "$name: linked"
	"$@" -o "$work/linked" "$sources/operators.cc" "$library" -Wl,-rpath,"${library%/*}"
	"$work/linked" || fail "$name: linked"
	echo "$name: linked, check:1"
	STRATA_OPTIONS=check:1 "$work/linked" || fail "$name: linked, check:1"
	echo "$name: preloaded"
	"$@" -o "$work/preloaded" "$sources/operators.cc"
	LD_PRELOAD=$library "$work/preloaded" || fail "$name: preloaded"
}
