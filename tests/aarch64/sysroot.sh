#!/bin/sh
# SPDX-License-Identifier: MIT
# liburcu and cmocka for aarch64, unpacked into a folder. apt reads its lists for that architecture into the folder as well:
# nothing is installed, no architecture is added to this machine, whose own packages of that name would have to give way.
#
# usage: sysroot.sh FOLDER
set -eu

mkdir -p "$1"
cd "$1"
folder=$PWD
[ ! -e complete ] || exit 0

# elsewhere TOOL ARGUMENT...: a tool of apt's, on lists of another architecture in a place of their own
elsewhere() {
	tool=$1
	shift
	"$tool" -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Acquire::Languages=none \
		-o Dir::State="$folder/apt" -o Dir::State::status=/dev/null -o Dir::Cache="$folder/apt" \
		-o APT::Sandbox::User="$(id -un)" "$@"
}

mkdir -p apt/lists/partial apt/archives/partial packages
# Sources without this architecture are named, and are no error as long as another one has the packages.
elsewhere apt-get update || true
libraries=$(elsewhere apt-cache depends --important liburcu-dev libcmocka-dev |
	sed -n 's/^ *Depends: \(lib\(urcu\|cmocka\)[0-9][^ ]*\)$/\1/p')
cd packages
rm -f ./*.deb
# shellcheck disable=SC2086
elsewhere apt-get download liburcu-dev libcmocka-dev $libraries
for package in ./*.deb; do
	dpkg-deb -x "$package" "$folder/root"
done
rm -rf "$folder/apt"
touch "$folder/complete"
