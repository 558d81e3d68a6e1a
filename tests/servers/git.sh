#!/bin/sh
# SPDX-License-Identifier: MIT
#
# git on this repository (on one made of its files where there is no history): clone, fsck, repack by two threads, log,
# diff, blame, grep, archive, merge. All answers and all objects are compared.
. "$(dirname "$0")/lib.sh"
need git git

TOP=$(cd "$HERE/../.." && pwd)

# One snapshot, on glibc, that every run works on; nobody's settings count.
snapshot() {
	HOME=$DIR
	GIT_CONFIG_NOSYSTEM=1
	GIT_AUTHOR_NAME=strata GIT_AUTHOR_EMAIL=strata@localhost GIT_AUTHOR_DATE='2024-01-01T00:00:00Z'
	GIT_COMMITTER_NAME=strata GIT_COMMITTER_EMAIL=strata@localhost GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
	export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
	export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE
	git config --global safe.directory '*'
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	if git -C "$TOP" rev-parse -q --verify HEAD >/dev/null 2>&1; then
		git clone -q --bare --no-local "$TOP" "$DIR/snapshot"
		git -C "$DIR/snapshot" update-ref refs/heads/main "$(git -C "$TOP" rev-parse HEAD)"
		git -C "$DIR/snapshot" symbolic-ref HEAD refs/heads/main
	else
		git init -q "$DIR/files"
		for entry in "$TOP"/*; do
			[ ! -d "$entry" ] || cp -R "$entry" "$DIR/files/"
		done
		git -C "$DIR/files" add -A .
		git -C "$DIR/files" commit -q -m 'the files'
		git clone -q --bare "$DIR/files" "$DIR/snapshot"
	fi
}

run_git() {
	preloaded git -c core.pager=cat -c pack.threads=2 -c index.threads=2 "$@"
}

workload() {
	cd "$RUN"
	run_git clone -q --no-local "$DIR/snapshot" work 2>clone.log
	cd work
	held git cat-file --batch
	run_git log -p --stat -M -C --date=iso | sha256sum
	run_git rev-list --objects --all | sort | sha256sum
	run_git rev-list --objects --all | cut -d' ' -f1 | run_git cat-file --batch | sha256sum
	run_git ls-files | while read -r file; do run_git blame -w -C "$file"; done | sha256sum
	run_git grep -n -E 'static|return|\bif\b' | sha256sum
	run_git archive HEAD | sha256sum
	run_git diff --word-diff "$(run_git hash-object -t tree /dev/null)" HEAD | sha256sum
	run_git checkout -q -b side
	for number in 1 2 3; do
		run_git ls-files | head -n 40 | while read -r file; do echo "side $number" >>"$file"; done
		run_git commit -q -a -m "side $number"
	done
	run_git checkout -q main
	run_git ls-files | head -n 40 | while read -r file; do sed -i '1s/^/main /' "$file"; done
	run_git commit -q -a -m main
	run_git merge -q -m merged side >"$RUN/merge.log" 2>&1 || run_git status --short
	run_git diff | sha256sum
	run_git reset -q --hard
	run_git stash list
	run_git repack -q -a -d -f --window=60
	run_git fsck --full --strict 2>/dev/null
	run_git verify-pack .git/objects/pack/*.idx
	# Which delta is stored hangs on how the two threads ran; what comes out of it does not.
	run_git cat-file --batch-all-objects --batch | sha256sum
	run_git gc -q --prune=now
	run_git bundle create -q "$RUN/bundle" --all
	run_git bundle verify -q "$RUN/bundle"
	run_git count-objects -v | grep -E '^(count|in-pack|garbage)'
	cd "$DIR"
}

snapshot
rounds git
