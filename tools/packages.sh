# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Part of ./bootstrap: which packages the build, the tests and the demo need, and how they come here.

# To build, tests and benchmarks included. What a part needs to run is listed beside it, one package a line.
build_packages="autoconf automake libtool pkg-config make gcc g++ liburcu-dev libcmocka-dev libbenchmark-dev"
fedora_packages="autoconf automake libtool pkgconf-pkg-config make gcc gcc-c++ userspace-rcu-devel libcmocka-devel \
google-benchmark-devel"
check_lists="tests/packages"
demo_lists="tools/demo.packages"
all_lists="tests/packages tests/aarch64/packages tests/servers/packages bench/packages"
all_packages="clang"

# listed FILE...: the packages in those lists that exist
listed()
{
	for list in "$@"; do
		[ ! -f "$list" ] || sed -e 's/#.*//' "$list"
	done | sort -u
}

# missing PACKAGE...: those that are not installed, without those that were found not to be in this release
missing()
{
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
		awk '$2 == "installed" { print $1 }' >"$logs/installed" || true
	[ ! -f "$logs/absent" ] || cat "$logs/absent" >>"$logs/installed"
	for package in "$@"; do
		grep -qxF -- "$package" "$logs/installed" || printf '%s ' "$package"
	done
}

known_to_apt()
{
	for package in "$@"; do
		[ -n "$(apt-cache --quiet=0 madison "$package" 2>/dev/null)" ] || return 1
	done
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

apt_install()
{
	apt_get install -y --no-install-recommends "$@"
}

# install_packages PACKAGE...: those that this release does not have are left out, with their names in the log
install_packages()
{
	known_to_apt "$@" || apt_get update || return 1
	available=
	for package in "$@"; do
		if known_to_apt "$package"; then
			available="$available $package"
		else
			echo "not in this release: $package"
			echo "$package" >>"$logs/absent"
		fi
	done
	[ -n "$available" ] || return 0
	# A list that is old names versions that are gone.
	apt_install $available || { apt_get update && apt_install $available; }
}

# need_packages PACKAGE...
need_packages()
{
	announce "packages"
	if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
		need_tools
		return
	fi
	wanted=$(missing "$@")
	if [ -z "$wanted" ]; then
		echo "ok, all installed"
		return
	fi
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null 2>&1; then
			printf 'missing\n\nAs root, install: apt-get install %s\n' "$wanted"
			exit 1
		fi
		printf 'sudo is to install: %s\n' "$wanted"
		sudo -v || exit 1
		show_step
	fi
	run install_packages $wanted || { tell_failure; exit 1; }
	printf 'ok, %s, installed: %s\n' "$(elapsed)" "$wanted"
}

# What check-all says at its end about packages that this release does not have
leave_out_absent()
{
	[ ! -f "$logs/absent" ] ||
		left_out="$left_out  packages not in this release: $(sort -u "$logs/absent" | tr '\n' ' ')$newline"
}

# Where there is no apt: is what a build needs there?
need_tools()
{
	absent=
	for tool in autoreconf automake libtoolize pkg-config make cc c++; do
		command -v $tool >/dev/null 2>&1 || absent="$absent $tool"
	done
	for module in liburcu-bp cmocka benchmark; do
		pkg-config --exists $module 2>/dev/null || absent="$absent $module"
	done
	if [ -z "$absent" ]; then
		echo "ok, found (no apt here: what single tests need is not looked for)"
		return
	fi
	printf 'missing:%s\n\nInstall on Fedora: dnf install %s\nOn Debian: apt-get install %s\n' \
		"$absent" "$fedora_packages" "$build_packages"
	exit 1
}
