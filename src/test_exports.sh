#!/bin/sh
# SPDX-License-Identifier: MIT
# What libstrata.so.0 shows to the world: all of the malloc family, the operators and the native API, nothing else; only
# the native API has a version; no library is needed that is not called.
set -eu

command -v readelf >/dev/null 2>&1 || { echo "readelf not found"; exit 77; }
[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failed=0
fail()
{
	echo "FAIL: $*"
	failed=1
}

# Rows of readelf: number, value, size, type, binding, visibility, section, name@version.
readelf -W --dyn-syms "$STRATA_LIBRARY" >"$work/symbols"
awk '$7 != "UND" && $7 != "ABS" && $5 != "LOCAL" && $1 ~ /^[0-9]+:$/ { print $8 }' "$work/symbols" |
	LC_ALL=C sort >"$work/defined"

family=" malloc free calloc realloc reallocarray aligned_alloc posix_memalign memalign valloc pvalloc \
malloc_usable_size free_sized free_aligned_sized mallinfo mallinfo2 malloc_info malloc_stats malloc_trim mallopt cfree \
__libc_malloc __libc_free __libc_calloc __libc_realloc __libc_memalign __libc_valloc __libc_pvalloc setrlimit setrlimit64 prlimit prlimit64 "
for name in $family; do
	grep -qx "$name" "$work/defined" || fail "$name is not exported, or has a version"
done

# _Znw, _Zna, _Zdl, _Zda and what follows: size, alignment, nothrow.
if grep -q '^_Z' "$work/defined"; then
	for name in _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZnwmSt11align_val_t _ZnamSt11align_val_t \
		_ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t \
		_ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t \
		_ZdlPvSt11align_val_t _ZdaPvSt11align_val_t _ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t \
		_ZdlPvSt11align_val_tRKSt9nothrow_t _ZdaPvSt11align_val_tRKSt9nothrow_t; do
		grep -qx "$name" "$work/defined" || fail "operator $name is not exported, or has a version"
	done
fi

# The native API: every function that the headers declare, all with the version.
headers="$top_srcdir/include/strata/strata.h $top_srcdir/include/strata/domain.h $top_srcdir/include/strata/typed.h"
sed -n '/^typedef/d; s/^[a-z].*[ *]\(strata_[a-z_]*\)(.*/\1/p' $headers | LC_ALL=C sort -u >"$work/declared"
[ -s "$work/declared" ] || fail "no function found in $headers"
while read -r name; do
	grep -qx "$name@@STRATA_0.1" "$work/defined" || fail "$name is declared, and not exported as $name@@STRATA_0.1"
done <"$work/declared"

while read -r symbol; do
	name=${symbol%%@*}
	case $symbol in
	strata_*@@STRATA_0.1)
		grep -qx "$name" "$work/declared" || fail "$name is exported, and not declared in a header" ;;
	_Zn[wa]m* | _Zd[la]Pv*) ;;
	*)
		case $family in
		*" $name "*) ;;
		*) fail "$symbol is exported" ;;
		esac
		;;
	esac
done <"$work/defined"

readelf -W -d "$STRATA_LIBRARY" >"$work/dynamic"
grep -q 'SONAME.*\[libstrata\.so\.0\]' "$work/dynamic" || fail "the soname is not libstrata.so.0"
grep -q 'FLAGS_1.*NODELETE' "$work/dynamic" || fail "not linked with -z nodelete"
if grep -E 'NEEDED.*(stdc\+\+|c\+\+|gcc_s)' "$work/dynamic"; then
	fail "a C program would load the C++ library"
fi
exit $failed
