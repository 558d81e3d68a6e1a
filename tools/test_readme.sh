#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's examples compile without a warning against the library, as they stand there, and run: those in C, and that in C++
# with each C++ library that is there.
set -eu

[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# One file for each block of C or C++.
awk -v folder="$work" '
	/^```c$/ { file = folder "/" ++count ".c"; next }
	/^```cpp$/ { file = folder "/example.cc"; next }
	/^```$/ { file = "" }
	file != "" { print >file }' "$top_srcdir/README.md"
[ -s "$work/2.c" ] || { echo "FAIL: no two examples in README.md"; exit 1; }

for source in "$work"/*.c; do
	$CC -std=gnu17 -Wall -Wextra -Werror -I"$top_srcdir/include" "$source" -o "${source%.c}" "$STRATA_LIBRARY" \
		-Wl,-rpath,"${STRATA_LIBRARY%/*}"
	"${source%.c}" >>"$work/output" 2>&1
done

# check_cxx LIBS COMPILER...: left out where it cannot build a program in C++17.
check_cxx() {
	libs=$1
	shift
	echo 'int main() { return 0; }' >"$work/usable.cc"
	"$@" -std=c++17 "$work/usable.cc" $libs -o "$work/usable" >/dev/null 2>&1 || return 0
	"$@" -std=c++17 -Wall -Wextra -Werror -I"$top_srcdir/include" "$work/example.cc" -o "$work/example" "$STRATA_LIBRARY" $libs \
		-Wl,-rpath,"${STRATA_LIBRARY%/*}"
	"$work/example"
}

[ -s "$work/example.cc" ] || { echo "FAIL: no example in C++ in README.md"; exit 1; }
check_cxx "" $CXX
# The resources of libc++ before 16 are in a library of their own.
libs=
[ -z "$(clang++ -stdlib=libc++ -print-file-name=libc++experimental.a 2>/dev/null | grep /)" ] || libs=-lc++experimental
check_cxx "$libs" clang++ -stdlib=libc++

cat "$work/output"
grep -qx 'a block of 40 bytes' "$work/output"
grep -Eqx '[0-9]+ bytes live' "$work/output"
grep -Eqx '[0-9]+ live, [0-9]+ cached' "$work/output"
grep -qx 'buf: 2097152 bytes' "$work/output"
grep -qx 'refused' "$work/output"
