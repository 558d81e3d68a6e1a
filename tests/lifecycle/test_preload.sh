#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs of the system with the library preloaded: they say what they say without it.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library

# same NAME COMMAND...: the same output and exit status with and without.
same() {
	name=$1
	shift
	if ! command -v "$1" >/dev/null 2>&1; then
		echo "$name: left out, no $1"
		return 0
	fi
	status=0
	"$@" >"$work/plain" 2>&1 </dev/null || status=$?
	preloaded_status=0
	LD_PRELOAD=$library "$@" >"$work/preloaded" 2>&1 </dev/null || preloaded_status=$?
	[ "$status" -eq "$preloaded_status" ] || {
		cat "$work/preloaded" >&2
		fail "$name: exit status $preloaded_status, not $status"
	}
	cmp "$work/plain" "$work/preloaded" || fail "$name: other output"
	echo "$name: passed"
}

python='
import threading, json
def work(n, out):
    table = {str(i): [i] * (i % 50) for i in range(20000)}
    out[n] = len(json.dumps(table))
out = [0] * 4
threads = [threading.Thread(target=work, args=(n, out)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(out)
'

spawn='
import subprocess
print([subprocess.run(["echo", str(i)], capture_output=True).stdout for i in range(20)])
'
awk='BEGIN {
	for (i = 0; i < 200000; i++)
		t[i % 5000] = t[i % 5000] i
	for (k in t)
		n += length(t[k])
	print n
}'

same ls ls -lR /usr/include/linux
same bash bash -c 'for i in 1 2 3 4 5; do x=$(echo "$i" | cat); y+=$x; done; echo "$y"; (exec ls / | sort)'
same sh sh -c 'echo one | tr a-z A-Z'
same python3 python3 -c "$python"
same "python3 malloc" env PYTHONMALLOC=malloc python3 -c "$python"
same "python3 spawn" python3 -c "$spawn"
same awk awk "$awk"
same sort sh -c 'seq 200000 | sort -r --parallel=4 | tail -3'
same tar sh -c 'tar cf - -C /usr/include linux | wc -c'
same xz sh -c 'seq 300000 | xz -T2 | xz -d | cksum'
same git git --version
same perl perl -e 'my %h; $h{$_ % 1000} .= "x$_" for 1..200000; my $n = 0; $n += length for values %h; print "$n\n"'

build preloaded wrapper
same wrapper "$work/wrapper.preloaded"
run preloaded wrapper

build preloaded own_malloc
for options in stats:0 profile:512K background:1 check:1; do
	STRATA_OPTIONS=$options run preloaded own_malloc || fail "own_malloc: $options"
done
