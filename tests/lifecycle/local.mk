# SPDX-License-Identifier: MIT
# Programs and threads that start, fork and end, in every way of linking; built when the tests run. And the count of the
# fast paths' instructions.

LIFECYCLE_TESTS = \
	tests/lifecycle/test_start_end.sh \
	tests/lifecycle/test_fork.sh \
	tests/lifecycle/test_urcu.sh \
	tests/lifecycle/test_domain_fork.sh \
	tests/lifecycle/test_dlopen.sh \
	tests/lifecycle/test_linking.sh \
	tests/lifecycle/test_preload.sh \
	tests/lifecycle/test_python.sh \
	tests/lifecycle/test_secure.sh \
	tests/lifecycle/test_valgrind.sh \
	tests/lifecycle/test_seccomp.sh \
	tests/lifecycle/test_locked.sh \
	tests/lifecycle/test_address_limit.sh \
	tests/lifecycle/test_nodes.sh \
	tests/lifecycle/test_stopped.sh \
	tests/lifecycle/test_background.sh \
	tests/lifecycle/test_settings.sh \
	tests/fastpath/test_fastpath.sh

if ENABLE_TESTS
TESTS += $(LIFECYCLE_TESTS)
endif

EXTRA_DIST += \
	$(LIFECYCLE_TESTS) \
	tests/fastpath/fastpath.awk \
	tests/lifecycle/build.sh \
	tests/lifecycle/lifecycle.h \
	tests/lifecycle/address_limit.c \
	tests/lifecycle/address_space.h \
	tests/lifecycle/address_limit_moves.c \
	tests/lifecycle/address_limit_races.c \
	tests/lifecycle/address_limit_room.c \
	tests/lifecycle/domain_fork.c \
	tests/lifecycle/background.c \
	tests/lifecycle/in_front.c \
	tests/lifecycle/early_library.c \
	tests/lifecycle/early_program.c \
	tests/lifecycle/fork.c \
	tests/lifecycle/fork_signal.c \
	tests/lifecycle/quiet.c \
	tests/lifecycle/locked.c \
	tests/lifecycle/native_dlopen.c \
	tests/lifecycle/native_first.c \
	tests/lifecycle/own_malloc.c \
	tests/lifecycle/python_memory.py \
	tests/lifecycle/nodes.c \
	tests/lifecycle/plain.c \
	tests/lifecycle/profiled.c \
	tests/lifecycle/sandbox.c \
	tests/lifecycle/seccomp.c \
	tests/lifecycle/secure.c \
	tests/lifecycle/settings.c \
	tests/lifecycle/start_end.c \
	tests/lifecycle/stopped.c \
	tests/lifecycle/stopped.h \
	tests/lifecycle/stopped_load.c \
	tests/lifecycle/thread_local.cc \
	tests/lifecycle/urcu.c \
	tests/lifecycle/wrapper.c
