#!/bin/sh
# SPDX-License-Identifier: MIT
# The operators with the C++ library that configure's compiler uses (libstdc++ as a rule).
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$library" ] || skip "no shared library was built"
# shellcheck disable=SC2086
usable $CXX $flags || skip "no C++ compiler ($CXX)"
check_operators "$CXX" $CXX $flags
