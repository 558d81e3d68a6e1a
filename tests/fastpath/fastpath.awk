# SPDX-License-Identifier: MIT
# Finds the fast path of one function in its disassembly by objdump (AT&T syntax, --no-show-raw-insn) and prints
#   COUNT locked|free        and then the instructions of the path, one a line,
# or "none" where there is no such path.
#
# The function is taken as a graph: an instruction leads to the next one and, where it is a jump to a place within the
# function, to that place. A call, a jump out of the function (a tail call, the part that the compiler split off as
# cold) and a jump through a register end a way without success. Whatever remains and reaches a ret did all its work
# here. Of these ways, the fast path is the shortest one that both
#   - reads the thread's own pointer (an operand with %fs), and
#   - stores to memory other than the stack (the block that was taken off the list, or put onto it).
# The two conditions exclude the early returns that are shorter still, such as free(NULL).
# The search is Dijkstra's with costs 0 and 1 over (instruction, conditions met so far); endbr64 costs nothing.
# A lock prefix, or xchg with memory (which locks without one), on the way found is told.

function is_jump(name) { return name ~ /^j[a-z]+$/ || name ~ /^(notrack )?jmp/ }

# AT&T syntax has the destination last.
function stores(name, operands,    last) {
	if (name ~ /^(cmp|test|lea|push|pop|call|ret|bt$|nop|prefetch|j)/)
		return 0
	last = operands
	if (last ~ /\)$/)
		sub(/^.*,(%[a-z]s:)?[-0-9a-fx]*\(/, "(", last)
	else if (last ~ /,/)
		sub(/^.*,/, "", last)
	return (last ~ /\)$/ || last ~ /^%[fg]s:/) && last !~ /\(%rsp|\(%rbp\)/
}

BEGIN { n = 0 }

/^ *[0-9a-f]+:\t/ {
	address = $1
	sub(/:.*/, "", address)
	text = $0
	sub(/^[^\t]*\t/, "", text)
	sub(/[ \t]*#.*$/, "", text)
	prefix[n] = 0
	line[n] = text
	name = text
	while (match(name, /^(lock|rep|repz|repnz|data16|cs|ds|bnd|notrack) +/)) {
		if (name ~ /^lock/)
			prefix[n] = 1
		name = substr(name, RLENGTH + 1)
	}
	operands = name
	sub(/[ \t].*$/, "", name)
	if (operands ~ /[ \t]/)
		sub(/^[^ \t]+[ \t]+/, "", operands)
	else
		operands = ""
	sub(/ *<.*$/, "", operands)
	if (name ~ /^xchg/ && operands ~ /\(/)
		prefix[n] = 1
	mnemonic[n] = name
	operand[n] = operands
	index_of[address] = n++
}

# Takes (instruction, conditions) into the queue of its cost, with where it came from.
function reach(i, met, cost, from,    key) {
	key = i * 4 + met
	if ((key in best) && best[key] <= cost)
		return
	best[key] = cost
	came[key] = from
	queue[cost, queued[cost]++] = key
}

function leave(i, met, cost, key,    name) {
	name = mnemonic[i]
	if (name ~ /^call/)
		return
	if (is_jump(name)) {
		if (operand[i] in index_of)
			reach(index_of[operand[i]], met, cost, key)
		if (name ~ /^jmp/)
			return
	}
	if (i + 1 < n)
		reach(i + 1, met, cost, key)
}

function show(key,    path, count, locked, i) {
	count = 0
	locked = "free"
	for (; key >= 0; key = came[key]) {
		i = int(key / 4)
		if (prefix[i])
			locked = "locked"
		if (mnemonic[i] != "endbr64")
			count++
		path = "\t" line[i] "\n" path
	}
	printf "%d %s\n%s", count, locked, path
}

END {
	reach(0, 0, 0, -1)
	for (cost = 0; cost <= n; cost++) {
		for (q = 0; q < queued[cost]; q++) {
			key = queue[cost, q]
			if (best[key] != cost || done[key]++)
				continue
			i = int(key / 4)
			met = key % 4
			if (operand[i] ~ /%fs:/ && met % 2 == 0)
				met += 1
			if (met < 2 && stores(mnemonic[i], operand[i]))
				met += 2
			if (mnemonic[i] ~ /^ret/) {
				if (met == 3) {
					show(key)
					exit
				}
				continue
			}
			leave(i, met, cost + (mnemonic[i] != "endbr64"), key)
		}
	}
	print "none"
}
