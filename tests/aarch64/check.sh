#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the library and test programs for aarch64 with the cross compiler, in build-aarch64 below the current folder, and
# runs them by the emulator qemu-aarch64: a line for each test, what is left out and why, and at the end
# "N passed, N failed, N left out". Without compiler or emulator everything is left out, and nothing has failed.
#
# An emulator on x86-64 orders memory as x86-64 does: what these tests show is instructions, layout and system calls of
# aarch64, not its memory model. Of that the models (src/models.sh) have little: in those of claims stores may come late, the
# others are sequentially consistent.
#
# usage: check.sh SOURCE-FOLDER PROGRAM|SCRIPT...
#	AARCH64_TOOLS=aarch64-linux-gnu-	what the names of the compilers and binutils begin with
#	AARCH64_SYSROOT=FOLDER			where liburcu and cmocka for aarch64 are (usr/include, usr/lib/aarch64-linux-gnu);
#						fetched by apt unless given
#	AARCH64_SECONDS=300			what one test may take
#	AARCH64_JOBS=N				how many tests run at once; one for each processor unless given
set -eu

source=$1
shift
here=$source/tests/aarch64
tools=${AARCH64_TOOLS-aarch64-linux-gnu-}
emulator=qemu-aarch64
work=build-aarch64
passed=0
failed=0
left_out=0

leave_out() {
	printf 'left out  %s (%s)\n' "$1" "$2"
	left_out=$((left_out + 1))
}

finish() {
	echo "$passed passed, $failed failed, $left_out left out"
	[ "$failed" -eq 0 ]
	exit
}

# ---- What it takes ----------------------------------------------------------------------------------------------------
if [ -e "$source/config.status" ]; then
	echo "check.sh: $source is configured itself; configure in a build folder instead" >&2
	exit 1
fi
if [ "$(uname -m)" = aarch64 ]; then
	leave_out aarch64 "this is one: make check"
	finish
fi
for tool in "${tools}gcc" "${tools}g++" $emulator; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		leave_out aarch64 "no $tool (Debian: gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user)"
		finish
	fi
done
mkdir -p $work/logs
cd $work
if [ -z "${AARCH64_SYSROOT:-}" ]; then
	AARCH64_SYSROOT=$PWD/sysroot/root
	if ! sh "$here/sysroot.sh" sysroot >logs/sysroot.log 2>&1; then
		tail -n 5 logs/sysroot.log
		leave_out aarch64 "no liburcu and cmocka for arm64 by apt: set AARCH64_SYSROOT to a folder with them"
		finish
	fi
fi

# ---- Building ---------------------------------------------------------------------------------------------------------
libraries=$AARCH64_SYSROOT/usr/lib/aarch64-linux-gnu
include=$AARCH64_SYSROOT/usr/include
flags="-I$include -I$include/aarch64-linux-gnu -L$libraries -Wl,-rpath-link,$libraries"

# quietly LOG COMMAND...: says something only when it fails
quietly() {
	log=logs/$1.log
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log"
		echo "FAIL: build ($PWD/$log)"
		failed=1
		finish
	fi
}

if [ ! -e Makefile ]; then
	quietly configure env PKG_CONFIG_LIBDIR="$libraries/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$AARCH64_SYSROOT" \
		"$source/configure" --host=aarch64-linux-gnu --disable-bench --enable-werror \
		CC="${tools}gcc" CXX="${tools}g++" CFLAGS=-O2 CXXFLAGS=-O2 \
		CPPFLAGS="-I$include -I$include/aarch64-linux-gnu" LDFLAGS="-L$libraries -Wl,-rpath-link,$libraries"
fi
programs=$(printf '%s\n' "$@" | grep -v '\.sh$' || true)
# shellcheck disable=SC2086
quietly make "${MAKE:-make}" src/libstrata.la $programs

# ---- Running ----------------------------------------------------------------------------------------------------------
# Without SVE: the emulator calls a function for each of its instructions, and libc's memcpy has them.
libc=$(realpath "$("${tools}gcc" -print-file-name=libc.so.6)")
AARCH64_EMULATOR="$emulator -cpu max,sve=off -L ${libc%/lib/*}"
AARCH64_LIBRARIES=$PWD/src/.libs:$libraries
AARCH64_HERE=$here
: "${AARCH64_SECONDS:=300}" "${AARCH64_JOBS:=$(getconf _NPROCESSORS_ONLN)}" "${STRATA_STRESS_SECONDS:=1}"
export AARCH64_EMULATOR AARCH64_LIBRARIES AARCH64_HERE AARCH64_SECONDS STRATA_STRESS_SECONDS

# For scripts that build what they run.
top_srcdir=$source
top_builddir=$PWD
STRATA_LIBRARY=$PWD/src/.libs/libstrata.so.0
CC="sh $here/cc.sh ${tools}gcc $flags"
CXX="sh $here/cc.sh ${tools}g++ $flags"
OBJDUMP=${tools}objdump
export top_srcdir top_builddir STRATA_LIBRARY CC CXX OBJDUMP
unset LD_PRELOAD STRATA_OPTIONS

# why_not NAME: why a test is left out; nothing when it is run
why_not() {
	case $1 in
	*/test_bounds | */stress_asleep | */stress_sleeping_owner | */test_locked.sh | */test_pool_purge)
		echo "measures what is resident and mapped, of which the emulator's own is a part" ;;
	*/stress_threads) echo "the emulator keeps 270 KiB of each thread that has ended" ;;
	*/stress_domain_tables) echo "the two that exchange tables get no turn beside 200 emulated threads" ;;
	*/test_fork.sh | */test_urcu.sh | */test_domain_fork.sh)
		echo "the emulator ends itself where a forked child of a program with threads starts one" ;;
	*/oom_nth | */oom_domain) echo "forks for each call of the system, which takes an emulator minutes" ;;
	*/test_retain) echo "touches gigabytes, which takes an emulator minutes" ;;
	*/oom_limit | */test_linking.sh | */test_address_limit.sh) echo "limits the address space, which is the emulator's" ;;
	*/test_os_move) echo "nothing is moved under this emulator" ;;
	*/test_settings.sh) echo "the emulator ends where a file may not grow" ;;
	*/test_background.sh) echo "counts threads, of which the emulator has one of its own" ;;
	*/test_stopped.sh | */test_seccomp.sh) echo "ptrace and seccomp are not emulated" ;;
	*/test_preload.sh | */test_python.sh | */test_valgrind.sh | */test_secure.sh)
		echo "runs programs of this machine" ;;
	*/test_fastpath.sh) echo "counts x86-64's instructions; here it is tests/aarch64/test_fast_paths.sh" ;;
	esac
}

# Those that run on larger pages as well.
paged="tests/unit/test_contract_aligned tests/unit/test_contract_stats tests/unit/test_typed_tuple tests/stress/stress_realloc"

# binary PROGRAM: the file itself, where libtool put a script in its place
binary() {
	if [ -e "${1%/*}/.libs/${1##*/}" ]; then echo "${1%/*}/.libs/${1##*/}"; else echo "$1"; fi
}

rm -f logs/*.ok logs/*.FAIL logs/*.left_out
: >logs/list
for test in "$@"; do
	why=$(why_not "$test")
	if [ -n "$why" ]; then
		leave_out "$test" "$why"
		continue
	fi
	case $test in
	*.sh) printf '%s\n%s\n4096\n' "$test" "$source/$test" ;;
	*) printf '%s\n%s\n4096\n' "$test" "$(binary "$test")" ;;
	esac >>logs/list
done

# Larger pages, where the emulator can show them. It still answers for each 4 KiB: that no call is made for less than a page
# is what tests/oom/pretended finds.
cat >page.c <<END
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) { return argc != 2 || sysconf(_SC_PAGESIZE) != atol(argv[1]); }
END
quietly page "${tools}gcc" -o page page.c
for page in 16384 65536; do
	if AARCH64_EMULATOR="$AARCH64_EMULATOR -p $page" sh "$here/run.sh" ./page $page 2>/dev/null; then
		for test in $paged; do
			printf '%s\n%s\n%d\n' "$test, pages of $page bytes" "$(binary "$test")" $page >>logs/list
		done
	else
		leave_out "pages of $page bytes" "this emulator does not show them"
	fi
done

xargs -d '\n' -n 3 -P "$AARCH64_JOBS" sh "$here/one.sh" <logs/list || echo "not all tests came to their end"

count() {
	find logs -name "*.$1" | wc -l
}
passed=$(count ok)
failed=$(($(wc -l <logs/list) / 3 - passed - $(count left_out)))
left_out=$((left_out + $(count left_out)))
finish
