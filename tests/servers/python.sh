#!/bin/sh
# SPDX-License-Identifier: MIT
#
# CPython with PYTHONMALLOC=malloc, so that every object comes from malloc: a part of its own regression tests, with
# threads, subprocesses, forks and foreign calls. The result of each test is compared.
. "$(dirname "$0")/lib.sh"

need_python_tests

TESTS="test_list test_dict test_bytes test_unicode test_gc test_weakref test_generators test_re test_thread test_threading
	test_array test_deque test_memoryio test_sort test_decimal test_xml_etree_c test_ctypes test_zlib test_mmap"

# Left out is what measures time or mostly waits; it says little about memory.
regression_tests() {
	# shellcheck disable=SC2086
	preloaded "$PYTHON" -m test -v -j2 --tempdir "$RUN/tmp" -i '*timeout*' -i '*Barrier*' -i '*LockTests*' \
		-i '*Semaphore*' -i '*ConditionTests*' -i '*EventTests*' -i '*deepcopy*' -i '*dict_copy*' $TESTS
}

workload() {
	export PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=1
	held "$PYTHON"
	mkdir "$RUN/tmp"
	(cd "$RUN" && regression_tests) >"$RUN/test.log" 2>&1 || die "the tests ended with status $?"
	# A test's line is "test_name (class) ... result"; what the test itself prints may stand between.
	sed -n 's/^\(test[A-Za-z0-9_]* ([A-Za-z0-9_.]*)\).*/\1/p; s/^\(Ran [0-9]* tests\) in .*/\1/p' "$RUN/test.log" | sort
	grep -E '^(OK|FAILED)' "$RUN/test.log" | sort
}

rounds python
