# SPDX-License-Identifier: MIT
# For the build.sh of tests/lifecycle and of tests/cxx, to be sourced: programs are built when a test runs, in a folder of
# its own. Sets library (shared), archive, static_libs and work.
set -eu

: "${top_srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${CXX:=c++}"
library=${STRATA_LIBRARY:-$top_builddir/src/.libs/libstrata.so.0}
archive=${STRATA_ARCHIVE:-$top_builddir/src/.libs/libstrata.a}
static_libs="-lurcu-bp -lpthread"

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
