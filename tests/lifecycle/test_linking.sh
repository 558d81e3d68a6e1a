#!/bin/sh
# SPDX-License-Identifier: MIT
# One program with threads, linked in every way, with settings and under limits.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

each_way plain >"$work/ways"
grep -v '^fine$' "$work/ways"
[ "$(grep -c '^fine$' "$work/ways")" -eq "$(grep -c passed "$work/ways")" ] || fail "said nothing"

# As pkg-config says: also a program that leaves every allocation to libc, with compilers that leave out what it does not call.
if [ -e "$library" ]; then
	cat >"$work/leaves.c" <<-'END'
		#include <stdio.h>
		#include <string.h>
		int main(int argc, char **argv) { puts(strdup(argv[argc - 1])); return 0; }
	END
	libs=$(sed -n "s|^Libs: ||p" "$top_builddir/strata.pc" | sed "s|\${libdir}|${library%/*}|")
	$CC -Wl,--as-needed -o "$work/leaves" "$work/leaves.c" $libs -Wl,-rpath,"${library%/*}" || fail "pkg-config's libraries: does not link"
	STRATA_OPTIONS=stats:1 "$work/leaves" word >"$work/leaves.out" 2>&1 && grep -q '^strata: live' "$work/leaves.out" ||
		fail "pkg-config's libraries: strata was left out"
	echo "pkg-config's libraries: passed"
fi

# What strata_usable_size says may be used, whatever the compiler knows of the request.
if possible shared; then
	cat >"$work/usable.c" <<-'END'
		#include <string.h>
		#include <strata/strata.h>
		int main(void)
		{
			char *block = strata_malloc(41);
			memset(block, 7, strata_usable_size(block));
			strata_free(block);
			return 0;
		}
	END
	$CC $flags -fbuiltin -O2 -D_FORTIFY_SOURCE=2 -o "$work/usable" "$work/usable.c" "$library" -Wl,-rpath,"${library%/*}" &&
		"$work/usable" || fail "usable bytes with _FORTIFY_SOURCE"
	echo "usable bytes with _FORTIFY_SOURCE: passed"
fi

for each in preloaded static; do
	possible "$each" || continue
	for options in check:1 cache:0 decay_ms:0,retain:0 huge:always reserve:64M purge:free; do
		STRATA_OPTIONS=$options run "$each" plain >/dev/null || fail "$each: $options"
		echo "plain: $each: $options: passed"
	done
	# A limit of the address space, in KiB: what is reserved has to be smaller.
	(
		ulimit -v 1048576
		run "$each" plain >/dev/null
	) || fail "$each: ulimit -v 1048576"
	echo "plain: $each: ulimit -v 1048576: passed"
done
