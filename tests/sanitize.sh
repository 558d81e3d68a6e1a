#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the library and the given test programs with a sanitizer's instrumentation, in a build folder of their own below
# the current one, and runs them. libc's malloc is the sanitizer's there: the library exports no libc name, and the
# programs call strata_*.
#
# usage: sanitize.sh thread|address SOURCE-FOLDER PROGRAM...
set -eu

kind=$1
source=$2
shift 2

case $kind in
thread)
	flags='-fsanitize=thread'
	package='libtsan2 (Debian) or libtsan (Fedora)'
	;;
address)
	flags='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
	package='libasan8 and libubsan1 (Debian) or libasan and libubsan (Fedora)'
	;;
*)
	echo "sanitize.sh: no sanitizer named $kind" >&2
	exit 2
	;;
esac

if [ -e "$source/config.status" ]; then
	echo "sanitize.sh: $source is configured itself; configure in a build folder instead" >&2
	exit 1
fi

folder=build-$kind
mkdir -p "$folder"
cd "$folder"

# Where addresses are randomised more than the sanitizer can follow, its programs die at their start.
printf 'int main(void) { return 0; }\n' >probe.c
if ! ${CC:-cc} $flags probe.c -o probe; then
	echo "sanitize.sh: the compiler has no sanitizer: install $package" >&2
	exit 1
fi
run=
if ! ./probe 2>/dev/null; then
	run="setarch $(uname -m) -R"
	if ! $run ./probe; then
		echo "sanitize.sh: a program with $flags does not run here" >&2
		exit 1
	fi
fi

# Static: one library, and the sanitizer's own comes with the program.
if [ ! -e Makefile ]; then
	echo "sanitize.sh: configuring $folder"
	if ! $run "$source/configure" --disable-shared --disable-bench CC="${CC:-cc}" CXX="${CXX:-c++}" \
		CPPFLAGS='-DSTRATA_NO_MALLOC -DSTRESS_NATIVE' CFLAGS="-O1 -g -fno-omit-frame-pointer $flags" \
		CXXFLAGS="-O1 -g -fno-omit-frame-pointer $flags" LDFLAGS="$flags" >configure.log 2>&1; then
		tail -n 20 configure.log >&2
		echo "sanitize.sh: configure failed: $folder/configure.log" >&2
		exit 1
	fi
fi
${MAKE:-make} "$@"

# Blocks of strata are no roots to the leak checker. The heap region stays small, because the sanitizer shadows it.
STRATA_OPTIONS=${STRATA_OPTIONS-reserve:32G}
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1
TSAN_OPTIONS=halt_on_error=1
export STRATA_OPTIONS ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS

failed=0
for program in "$@"; do
	if $run "./$program" >"$program.$kind.log" 2>&1; then
		echo "PASS: $program under $flags"
	else
		failed=1
		tail -n 60 "$program.$kind.log"
		echo "FAIL: $program under $flags: $folder/$program.$kind.log"
	fi
done
exit $failed
