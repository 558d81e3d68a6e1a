#!/bin/sh
# SPDX-License-Identifier: MIT
# strata.hpp with each compiler and C++ library that is there: the header by itself, and containers under load.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$library" ] || skip "no shared library was built"
flags="-std=c++17 -O1 -Wall -Wextra -Wpedantic -Weffc++ -Werror -pthread -I$top_srcdir/include"
tried=0

# check_containers NAME LIBS COMPILER FLAGS...
check_containers() {
	name=$1
	libs=$2
	shift 2
	usable "$@" || {
		echo "left out: $name"
		return 0
	}
	tried=$((tried + 1))
	echo '#include <strata/strata.hpp>' >"$work/header.cc"
	"$@" -fno-exceptions -fno-rtti -fsyntax-only "$work/header.cc" || fail "$name: the header without exceptions"
	refused_to_compile "$@"
	# shellcheck disable=SC2086
	"$@" -o "$work/containers" "$sources/containers.cc" "$library" $libs -Wl,-rpath,"${library%/*}" ||
		fail "$name: does not build"
	for options in "" check:1 domain_debug:1; do
		echo "$name: ${options:-as it is}"
		STRATA_OPTIONS=$options "$work/containers" || fail "$name: ${options:-as it is}"
	done
}

# What the header promises to refuse: an alignment above that of typed lists, the typed domain in an allocator.
refused_to_compile() {
	for statement in 'strata::object_type<wide> a("a");' 'strata::allocator<int, STRATA_DOMAIN_TYPED> a;'; do
		printf '#include <strata/strata.hpp>\nstruct alignas(8192) wide { char c; };\nvoid f() { %s }\n' \
			"$statement" >"$work/refused.cc"
		if "$@" -fsyntax-only "$work/refused.cc" >"$work/refused.log" 2>&1; then
			fail "$name: compiles: $statement"
		fi
		grep -q 'static assertion failed\|static_assert failed' "$work/refused.log" ||
			fail "$name: refused for another reason: $statement"
	done
}

# shellcheck disable=SC2086
check_containers "$CXX" "" $CXX $flags
# shellcheck disable=SC2086
check_containers "clang++" "" clang++ $flags
# The resources of libc++ before 16 are in a library of their own.
libs=
[ -z "$(clang++ -stdlib=libc++ -print-file-name=libc++experimental.a 2>/dev/null | grep /)" ] || libs=-lc++experimental
# shellcheck disable=SC2086
check_containers "clang++ -stdlib=libc++" "$libs" clang++ -stdlib=libc++ $flags
[ "$tried" -gt 0 ] || skip "no C++ compiler"
