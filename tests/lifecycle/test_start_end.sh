#!/bin/sh
# SPDX-License-Identifier: MIT
# Before the library's constructor and after its end; thread-specific data; a library that is set up before all others;
# thread_local objects of C++.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

each_way start_end
each_way in_front

if possible shared; then
	$CC $flags -shared -fPIC -o "$work/libearly.so" "$sources/early_library.c" -Wl,-z,initfirst
	for way in preloaded shared; do
		build "$way" early_program "$work/libearly.so" -Wl,-rpath,"$work"
		run "$way" early_program || fail "early_program: $way"
		echo "early_program: $way: passed"
	done
fi

if possible preloaded &&
	$CXX -std=c++17 -O1 -pthread -o "$work/thread_local" "$sources/thread_local.cc" 2>"$work/cxx.log"; then
	LD_PRELOAD=$library "$work/thread_local" || fail "thread_local"
	echo "thread_local: passed"
else
	echo "thread_local: left out, no C++ compiler or no shared library"
fi
