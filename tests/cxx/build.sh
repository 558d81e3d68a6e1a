# SPDX-License-Identifier: MIT
# For the scripts beside it, to be sourced. Programs are built with each C++ library that is there, and linked as a user
# would.
. "${top_srcdir:-.}/tests/programs.sh"
sources=$top_srcdir/tests/cxx
flags="-std=c++17 -fsized-deallocation -O1 -Wall -Wextra -pthread"

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
