# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What gcc.sh and clang.sh share: some of the library's sources and compile.cc, compiled, linked and run. The objects
# must be the same to the byte, whatever malloc the compiler ran on.

# One copy that every run works on, under names that are the same in each.
sources() {
	mkdir "$DIR/sources"
	cp -R "$HERE/../../src" "$HERE/../../include" "$DIR/sources/"
	cp "$HERE/compile.cc" "$DIR/sources/"
}

# compile CC CXX [LINK_OPTION]
compile() {
	cp -R "$DIR/sources" "$RUN/sources"
	cd "$RUN/sources" || die "cd"
	preloaded "$2" -std=c++17 -O2 -frandom-seed=1 -c -o cxx.o compile.cc &
	other=$!
	for source in $(find src -name '*.c' | sort | head -n 6); do
		# A source that needs the settings of the build does not compile here; the messages have to be the same.
		preloaded "$1" -std=gnu17 -O2 -Wall -Wextra -frandom-seed=1 -Iinclude -Isrc -c -o "$(basename "$source" .c).o" \
			"$source" 2>>messages || echo "$source: not compiled"
	done
	wait "$other" || die "$2 ended with status $?"
	sha256sum ./*.o
	[ ! -s messages ] || sha256sum messages
	preloaded "$2" -o program cxx.o
	./program
	preloaded "$2" -std=c++17 -O1 -flto ${3:+"$3"} -o program compile.cc >>"$RUN/lto.log" 2>&1
	./program
	cd "$DIR" || die "cd"
}

sources
