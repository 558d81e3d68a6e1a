#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a program for aarch64: run.sh PROGRAM ARGUMENT...
# From the environment: AARCH64_EMULATOR, with its options; AARCH64_LIBRARIES, where it finds shared libraries.
#
# The emulator has an entry for each page of what is reserved: less is reserved than usual. How scarce memory is on this
# machine says nothing of the program. (Not by -E, which takes a comma for the next variable.)
STRATA_OPTIONS=reserve:8G,cgroup:off${STRATA_OPTIONS:+,$STRATA_OPTIONS}
export STRATA_OPTIONS
preload=${LD_PRELOAD:-}
unset LD_PRELOAD
# shellcheck disable=SC2086
exec $AARCH64_EMULATOR -E LD_LIBRARY_PATH="$AARCH64_LIBRARIES" -E LD_PRELOAD="$preload" "$@"
