# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What gcc.sh and clang.sh share: templates of the standard library (tests/servers/compile.cc) compiled. The object must be
# the same to the byte, whatever malloc the compiler ran on.

# compile [timed] CXX
compile() {
	cd "$DATA" || die "cd"
	"$@" -std=c++17 -O1 -frandom-seed=1 -c -o "$RUN/object.o" compile.cc
}

# expect CXX
expect() {
	cp "$HERE/../../tests/servers/compile.cc" "$DATA/"
	compile "$1"
	mv "$RUN/object.o" "$DATA/expected.o"
}

same_object() {
	cmp "$RUN/object.o" "$DATA/expected.o" >&2 || die "another object than on glibc"
}
