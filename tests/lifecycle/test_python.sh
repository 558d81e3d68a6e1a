#!/bin/sh
# SPDX-License-Identifier: MIT
# strata-run --python: the system's CPython on strata's domains. They hold what its objects take, it says what it says
# without, and other programs are left alone. Its regression tests: a few here, many in tests/servers/python_domains.sh.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
python=/usr/bin/python3
[ -x "$python" ] || skip "no $python"
"$python" -c 'import ctypes; ctypes.CDLL(None).PyMem_SetAllocator' 2>/dev/null ||
	skip "$python does not export PyMem_SetAllocator, or has no ctypes"
run="$top_builddir/tools/strata-run --library $library --python"
$run --dry-run >"$work/dry" 2>&1 || skip "$(cat "$work/dry")"
unset PYTHONMALLOC PYTHONDEVMODE || true
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=1

echo "memory by domain"
$run "$python" "$sources/python_memory.py" || fail "python_memory.py"
for domain in raw mem obj; do
	$run --domains "$python" -c pass 2>"$work/told"
	grep -Eq "^strata: domain $domain: live [0-9]+ bytes in [0-9]+ blocks, peak [0-9]+ bytes, [1-9][0-9]* alloc" \
		"$work/told" || fail "$domain is not told at exit: $(cat "$work/told")"
done

echo "PYTHONMALLOC wins"
PYTHONMALLOC=pymalloc $run --domains "$python" -c pass 2>"$work/told"
! grep -q '^strata: domain obj' "$work/told" || fail "PYTHONMALLOC=pymalloc: $(cat "$work/told")"
PYTHONMALLOC=debug $run "$python" -c 'print(sorted(map(str, range(1000)))[500])' >"$work/debug" || fail "PYTHONMALLOC=debug"
[ "$(cat "$work/debug")" = 549 ] || fail "PYTHONMALLOC=debug: said $(cat "$work/debug")"

echo "check:1, domain_debug:1"
$run --check "$python" -c 'import json, re, decimal' || fail "check:1"
$run -o domain_debug:1 "$python" -c 'import json, re, decimal' || fail "domain_debug:1"

echo "a program that is not CPython"
[ "$($run --domains sh -c 'echo it runs' 2>&1)" = "it runs" ] || fail "sh on --python"

(cd / && "$python" -c 'import test.test_list, test.libregrtest') 2>/dev/null || {
	echo "left out: Python's regression tests (Debian: libpython3.11-testsuite)"
	exit 0
}
# A test's line is "test_name (class) ... result"; what the test itself prints may stand between.
results() {
	(cd "$work" && "$@" "$python" -m test -v test_list test_tuple test_json) >"$work/log" 2>&1 || {
		tail -n 40 "$work/log" >&2
		fail "regression tests: $*"
	}
	sed -n 's/^\(test[A-Za-z0-9_]* ([A-Za-z0-9_.]*)\).*/\1/p; s/^\(Ran [0-9]* tests\) in .*/\1/p' "$work/log" | sort
	grep -E '^(OK|FAILED)' "$work/log"
}
echo "regression tests"
results env >"$work/plain"
# shellcheck disable=SC2086
results $run >"$work/on_strata"
[ -s "$work/plain" ] || fail "the regression tests said nothing"
diff "$work/plain" "$work/on_strata" || fail "regression tests: other results (above)"
