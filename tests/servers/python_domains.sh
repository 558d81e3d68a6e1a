#!/bin/sh
# SPDX-License-Identifier: MIT
#
# CPython with its domains on strata's, as `strata-run --python` sets it up: eleven files of its own regression tests, or
# those that SERVERS_PYTHON_TESTS names. Each test file is run by itself; those that fail on pymalloc are left out, all
# others must pass here too and say the same of each of their tests.
. "$(dirname "$0")/lib.sh"

need_python_tests
PYTHON_LIB=${STRATA_PYTHON_LIBRARY:-$(dirname "$STRATA_LIB")/../../tools/python/.libs/strata-python.so}
[ -r "$PYTHON_LIB" ] || die "STRATA_PYTHON_LIBRARY does not name strata-python.so: $PYTHON_LIB"
cp "$PYTHON_LIB" "$DIR/lib/strata-python.so"

# These take minutes, and repeat their work themselves.
SERVERS_ROUNDS=${SERVERS_PYTHON_ROUNDS:-1}
# LONG ones wait for processes and sockets for most of their minutes: SERVERS_PYTHON_TESTS=long runs them.
LONG="test_asyncio test_multiprocessing_fork test_ssl test_sqlite3 test_capi"
[ "${SERVERS_PYTHON_TESTS:-}" != long ] || SERVERS_PYTHON_TESTS=$LONG
TESTS=${SERVERS_PYTHON_TESTS:-test_list test_dict test_tuple test_set test_gc test_json test_re test_threading
	test_decimal test_pickle test_weakref}

# Tests that measure time, or wait for threads to get so far, say little about memory.
regression_test() {
	(cd "$RUN" && preloaded "$PYTHON" -m test -v --tempdir "$RUN/tmp" -i '*timeout*' -i '*Barrier*' \
		-i '*LockTests*' -i '*Semaphore*' -i '*ConditionTests*' -i '*EventTests*' "$1") >"$RUN/$1.log" 2>&1
}

# A test's line is "test_name (class) ... result"; what the test itself prints may stand between. Tests that fork write
# lines of one process into those of another, so that only each test's first words are compared.
told() {
	echo "$1: passed"
	sed -n 's/^\(test[A-Za-z0-9_]* ([A-Za-z0-9_.]*)\).*/\1/p; s/^\(Ran [0-9]* tests\) in .*/\1/p' "$RUN/$1.log" | sort
}

workload() {
	export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=1
	unset PYTHONMALLOC || true
	[ "$MALLOC" = glibc ] || PRELOAD=$LIBRARY:$DIR/lib/strata-python.so
	held "$PYTHON"
	mkdir "$RUN/tmp"
	for name in $TESTS; do
		if [ "$MALLOC" != glibc ] && ! grep -qx "$name: passed" "$DIR/glibc.out"; then
			continue
		elif regression_test "$name"; then
			told "$name"
		elif [ "$MALLOC" = glibc ]; then
			say "left out, fails on pymalloc: $name"
			mv "$RUN/$name.log" "$RUN/$name.failed"
		else
			die "$name failed on strata's domains, and passed on pymalloc"
		fi
	done
	[ "$MALLOC" = glibc ] || by_domain
}

# The accounts are not empty: the objects of a program come from the domain obj.
by_domain() {
	preloaded env STRATA_OPTIONS=domains:1 "$PYTHON" -c 'x = [i + 0.5 for i in range(100000)]' 2>"$RUN/domains"
	for domain in raw mem obj; do
		grep "^strata: domain $domain: " "$RUN/domains" | sed 's/^strata: //' >&2 || die "nothing in domain $domain"
	done
	peak=$(sed -n 's/^strata: domain obj: .*peak \([0-9]*\) bytes.*/\1/p' "$RUN/domains")
	[ "$peak" -ge 3200000 ] || die "100000 floats in $peak bytes"
}

rounds python_domains
