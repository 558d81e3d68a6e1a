#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands for the compiler where tests build programs and run them: what the cross compiler links is put aside, and in its
# place comes a script that has the emulator run it.
#
# usage: cc.sh COMPILER ARGUMENT...
set -eu

output=a.out
links=yes
previous=
for argument in "$@"; do
	case $argument in
	-c | -S | -E | -shared | -fsyntax-only | --version) links=no ;;
	esac
	[ "$previous" != -o ] || output=$argument
	previous=$argument
done

"$@"
[ "$links" = yes ] || exit 0
mv "$output" "$output.aarch64"
printf '#!/bin/sh\nexec sh "%s" "%s" "$@"\n' "$(realpath "${0%/*}/run.sh")" "$(realpath "$output.aarch64")" >"$output"
chmod +x "$output"
