#!/bin/sh
# SPDX-License-Identifier: MIT
# A C program that loads a C++ plugin, and with it the C++ library, after strata and with a local name space. And a C
# program without any C++ library.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$library" ] || skip "no shared library was built"
usable $CXX $flags || skip "no C++ compiler ($CXX)"

check_late() {
	name=$1
	shift
	echo "$name: plugin"
	"$@" -shared -fPIC -o "$work/plugin.so" "$sources/late_plugin.cc"
	"$work/host" "$work/plugin.so" || fail "$name: program linked with strata"
	LD_PRELOAD=$library "$work/host_plain" "$work/plugin.so" || fail "$name: strata preloaded"
}

$CC -O1 -Wall -Wextra -o "$work/host" "$sources/late_host.c" "$library" -Wl,-rpath,"${library%/*}" -ldl
$CC -O1 -Wall -Wextra -o "$work/host_plain" "$sources/late_host.c" -ldl
check_late "$CXX" $CXX $flags
if clang++ -stdlib=libc++ $flags -shared -fPIC -o "$work/plugin.so" "$sources/late_plugin.cc" 2>"$work/libcxx.log"; then
	check_late "clang++ -stdlib=libc++" clang++ -stdlib=libc++ $flags
else
	echo "left out: no clang++ with libc++"
fi

echo "no C++ library"
$CC -O1 -fno-builtin -Wall -Wextra -o "$work/no_library" "$sources/no_library.c" "$library" -Wl,-rpath,"${library%/*}"
"$work/no_library" || fail "operator new in a C program"
status=0
{ message=$("$work/no_library" refused 2>&1) || status=$?; } 2>/dev/null
[ "$status" -eq 134 ] || fail "refused without a C++ library: exit status $status, not 134 (SIGABRT)"
case $message in
"strata: operator new: memory refused, and no C++ library to throw std::bad_alloc"*) ;;
*) fail "refused without a C++ library: said \"$message\"" ;;
esac
