#!/bin/sh
# SPDX-License-Identifier: MIT
# The native interface by dlopen with a local name space: dlclose while it is in use, and first calls under a limit. See
# native_dlopen.c and native_first.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
$CC $flags -o "$work/native_dlopen" "$sources/native_dlopen.c" -ldl
"$work/native_dlopen" "$library" || fail "native_dlopen"
STRATA_OPTIONS=check:1 "$work/native_dlopen" "$library" || fail "native_dlopen, check:1"
$CC $flags -rdynamic -o "$work/native_first" "$sources/native_first.c" -ldl
"$work/native_first" "$library" || fail "native_first"
