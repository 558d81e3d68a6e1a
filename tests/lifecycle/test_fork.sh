#!/bin/sh
# SPDX-License-Identifier: MIT
# fork, vfork, posix_spawn, and fork in a signal's handler. See fork.c and fork_signal.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

each_way fork
each_way fork_signal
