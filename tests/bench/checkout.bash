#!/bin/bash
# tests/bench/checkout.bash - the checkout step against git itself.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_FILES (10900), BENCH_ROUNDS (15), BENCH_CHECKOUT: the program of
# tests/bench/checkout.c. A figure is the median of the rounds; within a round
# all three do the same commit, one after the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
files=${BENCH_FILES:-10900}
rounds=${BENCH_ROUNDS:-15}
changed=25
program=$(realpath "$BENCH_CHECKOUT")

# Mounts of our own, so that all of it goes with us.
if [ -z "${BENCH_INSIDE:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "bench-checkout: needs root" >&2; exit 1; }
    BENCH_INSIDE=1 exec unshare -m bash "$0"
fi
tmp=$(mktemp -d)
mount -t tmpfs -o size=6g,mode=711 tmpfs "$tmp"
finish() {
    cd /
    umount -l "$tmp"
    rmdir "$tmp"
}
trap finish EXIT
cd "$tmp"
export BERTH_STATE_DIR=$tmp/state HOME=$tmp
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

# A repository: files of 0 to 8 KiB in some 500 directories, and commits that
# change 25 of them.
git init -q --bare -b main origin.git
awk -v files="$files" -v rounds="$rounds" -v changed=$changed '
    function path(i) {
        return sprintf("d%d/e%d/f%d.txt", i % 23, int(i / 23) % 22, i)
    }
    function blob(i, round,   text, n) {
        text = ""
        for (n = (i * 7) % 100; n >= 0; n--)
            text = text sprintf("    word%x = call(%x, other%x, \"%d\");\n",
                rand() * 1e9, rand() * 1e5, rand() * 1e9, n)
        printf "M 100644 inline %s\ndata %d\n%s\n", path(i), length(text), text
    }
    BEGIN {
        srand(1)
        for (round = 0; round <= rounds; round++) {
            printf "commit refs/heads/c%d\nmark :%d\n", round, round + 1
            printf "committer T <t@example.org> %d +0000\ndata 2\nc\n",
                1767225600 + round
            if (round) printf "from :%d\n", round
            n = round ? changed : files
            for (i = 0; i < n; i++)
                blob(round ? (i * 431 + round * 97) % files : i, round)
            print ""
        }
    }' | git -C origin.git fast-import --quiet
git -C origin.git repack -adq
for i in $(seq 0 "$rounds"); do
    git -C origin.git rev-parse "c$i" >>commits
    [ "$i" = 0 ] || git -C origin.git update-ref -d "refs/heads/c$i"
done
mapfile -t commits <commits
git clone -q --mirror origin.git peer.git

# us COMMAND…: how long it takes, in microseconds
us() {
    local began=${EPOCHREALTIME/./}
    "$@" >/dev/null 2>&1
    echo $((${EPOCHREALTIME/./} - began))
}
median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
# report NAME OURS PEER THEIRS
report() {
    awk -v name="$1" -v a="$(median "$2")" -v peer="$3" -v b="$(median "$4")" '
        BEGIN { printf "bench %s %.2f ms vs %s %.2f ratio %.1f\n", name,
            a / 1000, peer, b / 1000, b / a }'
}

"$program" "$tmp/origin.git" "${commits[0]}" >first
for i in $(seq "$rounds"); do
    commit=${commits[$i]}
    git -C origin.git update-ref refs/heads/main "$commit"
    # Ours fetches it; the worktree's repository has it already.
    git -C peer.git fetch -q origin '+refs/heads/*:refs/heads/*'
    us git clone -q --depth 1 -b main "file://$tmp/origin.git" clone >>clone.us
    us git -C peer.git worktree add --detach "$tmp/tree" "$commit" >>tree.us
    "$program" "$tmp/origin.git" "$commit" >>fetch.us
    "$program" "$tmp/origin.git" "$commit" >>same.us
    # As the worktree has it: somebody fetched the commit already.
    rm -rf state/cache
    "$program" "$tmp/origin.git" "${commits[i - 1]}" >>first
    "$program" "$tmp/origin.git" "$commit" >>next.us
    [ "$(git -C clone rev-parse HEAD)" = "$commit" ]
    [ "$(find clone -path clone/.git -prune -o -type f -print | wc -l)" = \
        "$files" ]
    git -C peer.git worktree remove --force "$tmp/tree"
    rm -rf clone
done
echo "# $files files, $changed of them changed by a commit; $(nproc) processors"
echo "# repository, clones and cache: $(stat -f -c %T "$tmp"); what a sandbox" \
    "writes: ext4 on a loop device"
report checkout_first_commit first git-clone-depth-1 clone.us
report checkout_next_commit_fetched fetch.us git-clone-depth-1 clone.us
report checkout_next_commit next.us git-clone-depth-1 clone.us
report checkout_next_commit next.us git-worktree-add tree.us
report checkout_same_commit same.us git-clone-depth-1 clone.us
report checkout_same_commit same.us git-worktree-add tree.us
