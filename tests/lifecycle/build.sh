# SPDX-License-Identifier: MIT
# For the scripts beside it, to be sourced: programs are linked in each way that a user may choose.
. "${top_srcdir:-.}/tests/programs.sh"
sources=$top_srcdir/tests/lifecycle
# -fno-builtin: see tests/local.mk.
flags="-std=gnu17 -D_GNU_SOURCE -O1 -fno-builtin -Wall -Wextra -pthread -I$top_srcdir/include"

need_library() {
	[ -e "$library" ] || skip "no shared library was built"
}

# possible WAY: whether programs can be linked so here. WAY is one of
#   preloaded   without strata          shared   with libstrata.so
#   archive     with libstrata.a        static   with libstrata.a, -static
possible() {
	case $1 in
	preloaded | shared) [ -e "$library" ] ;;
	archive) [ -e "$archive" ] ;;
	static)
		echo 'int main(void) { return 0; }' >"$work/possible.c"
		[ -e "$archive" ] &&
			$CC -static -o "$work/possible" "$work/possible.c" $static_libs >"$work/possible.log" 2>&1
		;;
	esac
}

# build WAY PROGRAM FLAGS...: "$work/PROGRAM.WAY" from PROGRAM.c.
build() {
	way=$1
	program=$2
	shift 2
	output=$work/$program.$way
	case $way in
	preloaded) $CC $flags -o "$output" "$sources/$program.c" "$@" -ldl ;;
	shared) $CC $flags -o "$output" "$sources/$program.c" "$library" "$@" -Wl,-rpath,"${library%/*}" -ldl ;;
	archive) $CC $flags -o "$output" "$sources/$program.c" "$archive" "$@" $static_libs -ldl ;;
	static) $CC $flags -static -o "$output" "$sources/$program.c" "$archive" "$@" $static_libs ;;
	esac || fail "$program: $way: does not build"
}

# run WAY PROGRAM ARGS...: what build built.
run() {
	way=$1
	program=$2
	shift 2
	if [ "$way" = preloaded ]; then
		LD_PRELOAD=$library "$work/$program.$way" "$@"
	else
		"$work/$program.$way" "$@"
	fi
}

# run_in FOLDER WAY PROGRAM ARGS...: the same in that folder; for those that write to it.
run_in() (
	program=$(cd "${work:?}" && pwd)/$3.$2
	preload=
	[ "$2" != preloaded ] || preload=$(cd "${library%/*}" && pwd)/${library##*/}
	cd "$1" || exit 1
	shift 3
	LD_PRELOAD=$preload "$program" "$@"
)

# each_way PROGRAM ARGS...: builds and runs it in every way that is possible.
each_way() {
	each_program=$1
	shift
	for each in preloaded shared archive static; do
		if possible "$each"; then
			build "$each" "$each_program"
			run "$each" "$each_program" "$@" || fail "$each_program: $each"
			echo "$each_program: $each: passed"
		else
			echo "$each_program: $each: left out, cannot be linked so here"
		fi
	done
}
