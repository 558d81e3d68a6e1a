#!/bin/sh
# SPDX-License-Identifier: MIT
# The operators with LLVM's C++ library.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$library" ] || skip "no shared library was built"
echo '#include <new>' >"$work/header.cc"
clang++ -stdlib=libc++ -std=c++17 -fsyntax-only "$work/header.cc" >"$work/header.log" 2>&1 &&
	usable clang++ -stdlib=libc++ $flags || skip "no clang++ with libc++ (libc++-dev, libc++abi-dev)"
check_operators "clang++ -stdlib=libc++" clang++ -stdlib=libc++ $flags
