#!/bin/bash
# tests/integration/snapshots.sh - checkouts from trees that are kept.
# timeout 600
# long 45
# SPDX-License-Identifier: Apache-2.0
#
# SNAPSHOT_COMMITS= and SNAPSHOT_SEED= choose the random commits.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/job.sh
. "$(dirname "$0")/../lib/job.sh"

here=$(cd "$(dirname "$0")" && pwd)
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"
if [ "$(id -u)" != 0 ]; then
    skip "trees are kept" "only root's sandboxes have layers"
    done_testing
    exit
fi

cat >only.yml <<'END'
name: only
steps:
  - checkout:
END
# What git thinks of it inside: nothing to refresh, nothing changed.
cat >clean.yml <<'END'
name: clean
steps:
  - checkout:
  - run: |
      test -z "$(git diff-files --ignore-submodules)"
      test -z "$(git status --porcelain --ignore-submodules)"
END

# What a tree is: kinds, modes, targets, content; and what git makes of it
# (the line endings that attributes ask for are in the content).
describe() {
    (cd "$1" && find . -path ./.git -prune -o -printf '%P %y %m %l\n' | sort &&
        find . -path ./.git -prune -o -type f -print0 | sort -z |
        xargs -0r sha1sum)
    git -C "$1" ls-files -s
    (cd "$1/.git" && find . -name index -prune -o -type f -print |
        sort | xargs sha1sum)
}

# kept PIPELINE OPTION…: runs the job, its workspace goes to $TEST_TMP/kept
kept() {
    local pipeline=$1
    shift
    job --keep "$pipeline" "$@"
    rm -rf kept
    mv "$BERTH_STATE_DIR"/kept/* kept 2>/dev/null
    [ "$job_status" = 0 ] || cat job.err
}
plain() {
    BERTH_CACHE_BYTES=0B kept "$@"
}
said() {
    sed -n 's/.*• [0-9a-f]\{12\} .*(\(.*\)).*/\1/p' job.err
}
entries() {
    find "$BERTH_STATE_DIR/cache/trees" -mindepth 2 -maxdepth 2 -name "$1*" |
        wc -l
}

# ---- random commits --------------------------------------------------------
seed=${SNAPSHOT_SEED:-$RANDOM}
diag "SNAPSHOT_SEED=$seed"
repo=$TEST_TMP/random.git
mapfile -t commits < <(node "$here/snapshot_repo.js" "$repo" \
    "${SNAPSHOT_COMMITS:-30}" "$seed")
# shellcheck disable=SC2317 # called through ok
same_as_plain() {
    local commit
    for commit in "${commits[@]}"; do
        kept clean.yml --commit "$commit"
        [ "$job_status" = 0 ] || return 1
        describe kept >kept.txt
        plain only.yml --commit "$commit"
        describe kept >plain.txt
        diff plain.txt kept.txt || { echo "commit $commit"; return 1; }
        # What git itself makes of it.
        git --git-dir="$repo" ls-tree -r "$commit" |
            awk '{print $1, $3}' | sort >tree.txt
        git -C kept ls-files -s | awk '{print $1, $2}' | sort |
            diff tree.txt - || { echo "commit $commit"; return 1; }
    done
}
ok "each of ${#commits[@]} random commits is what a checkout writes" \
    same_as_plain
diag "$(entries f) whole trees, $(entries d) deltas"
ok "most of them are made of another one" \
    [ "$(entries d)" -gt "$(entries f)" ]
job only.yml --commit "${commits[2]}"
like "$(said)" "from the cache" "one that was seen is not checked out again"

# ---- a repository of ours --------------------------------------------------
mkdir -p work/src work/.github
repo=$TEST_TMP/work
for i in $(seq 50); do echo "$i" >"work/src/f$i"; done
make_repo work
first=$(git -C work rev-parse HEAD)
commit() {
    git -C work add -A
    git -C work -c user.name=t -c user.email=t@example.org commit -qm "$1"
    git -C work rev-parse HEAD
}
echo 2 >>work/src/f1
git -C work rm -q src/f2
git -C work mv src/f3 src/g3
second=$(commit second)
cat >spoil.yml <<'END'
name: spoil
sandbox: { instance_type: lite }
steps:
  - checkout:
  - run: |
      rm -rf src .git; mkdir src; echo spoilt >src/f1; echo spoilt >more
      chmod 777 .; ln -s /etc src/f9
END
for commit in "$first" "$second" "$first" "$second"; do
    job spoil.yml --commit "$commit"
done
is "$job_status $(said)" "0 49 files, from the cache" \
    "jobs that spoil their trees"
kept clean.yml --commit "$second"
describe kept >kept.txt
plain only.yml --commit "$second"
describe kept >plain.txt
ok "spoil no one else's" diff plain.txt kept.txt
cat >renames.yml <<'END'
name: renames
steps:
  - checkout:
  - run: |
      git mv src lib
      test -f lib/f1; test ! -e src
      git -c user.name=t -c user.email=t@example.org commit -qm moved
      test -z "$(git status --porcelain)"; git fsck --no-dangling
END
job renames.yml --commit "$second"
is "$job_status" 0 "a directory of a layer can be renamed"
cat >fill.yml <<'END'
name: fill
sandbox: { instance_type: { disk: 64MiB } }
steps:
  - checkout:
  - run: head -c 100M /dev/zero >>src/f5
END
job fill.yml --commit "$second"
is "$(result .reason)" disk_full "what is written counts for the job's disk"

# The references of another moment.
third=$(git -C work -c user.name=t -c user.email=t@example.org commit-tree \
    "$first^{tree}" -p "$first" -m third)
git -C work branch other "$third"
kept only.yml --commit "$second"
is "$(git -C kept for-each-ref refs/remotes/origin/other)" "" \
    "a commit that is there asks nobody"
kept only.yml --ref other
kept only.yml --commit "$second"
is "$(git -C kept rev-parse -q origin/other)" "$third" \
    "references that a fetch brought are in the tree, though it was kept"
job only.yml --commit "$second"
like "$(said)" "from the cache" "which is kept anew"

# What attributes say of files that do not change.
printf 'a\nb\n' >work/x.txt
job only.yml --commit "$(commit text)"
echo '*.txt text eol=crlf' >work/.gitattributes
kept only.yml --commit "$(commit attributes)"
is "$(head -1 kept/x.txt)" $'a\r' "new attributes change files that did not"
printf 'c\nd\n' >work/y.txt
kept only.yml --commit "$(commit more)"
is "$(head -1 kept/y.txt)" $'c\r' "and hold for those that come later"

# ---- damage ----------------------------------------------------------------
# shellcheck disable=SC2317 # called through ok
good() {
    kept clean.yml --commit "$second" && [ "$job_status" = 0 ] || return 1
    describe kept | grep -v /packed-refs >kept.txt
    grep -v /packed-refs plain.txt | diff - kept.txt
}
for f in "$BERTH_STATE_DIR"/cache/trees/*work*/*/meta; do echo '{"a"' >"$f"; done
ok "metas that are cut off are a miss" good
for f in "$BERTH_STATE_DIR"/cache/trees/*work*/*/meta; do
    sed -i 's/"boot":"[^"]*"/"boot":"another"/' "$f"
done
ok "trees of another boot are a miss" good
is "$(grep -l another "$BERTH_STATE_DIR"/cache/trees/*work*/*/meta | wc -l)" 0 \
    "and go"
job only.yml --commit "$first"
job only.yml --commit "$second"
rm -rf "$BERTH_STATE_DIR"/cache/trees/*work*/f-*
ok "a lost base is a miss" good
rm -rf "$BERTH_STATE_DIR"/cache/trees/*work*/[fd]-*/git
ok "a lost part of a tree is a miss" good
rm -rf "$BERTH_STATE_DIR"/cache
echo >"$BERTH_STATE_DIR/cache"
ok "no cache at all is a miss" good
rm -f "$BERTH_STATE_DIR/cache"
ok "a tree larger than may be kept is checked out" \
    env BERTH_CACHE_BYTES=0B "$BERTH_BIN" run --repo "$repo" clean.yml

# ---- eviction --------------------------------------------------------------
job only.yml --commit "$first"
job only.yml --commit "$second"
is "$(entries f) $(entries d)" "1 1" "two are kept"
BERTH_CACHE_BYTES=1B job only.yml --ref other
is "$(entries f) $(entries d)" "0 0" "not more than the configured bytes"
job only.yml --commit "$first"
find "$BERTH_STATE_DIR/cache/trees" -name 'f-*' -exec touch -d '9 days ago' {} +
job only.yml --commit "$second"
find "$BERTH_STATE_DIR/cache/trees" -name 'f-*' -exec touch -d '9 days ago' {} +
"$BERTH_LIBEXEC/run-job" --sweep "$BERTH_STATE_DIR/sandboxes" >/dev/null
is "$(entries f)" 0 "nor longer than the configured time"

# ---- killed at any moment --------------------------------------------------
cat >loop.yml <<'END'
name: loop
steps:
  - checkout:
  - run: sleep 0.05; git status --porcelain | cmp - /dev/null
END
worker() {
    local pid
    for _ in $(seq 6); do
        "$BERTH_BIN" run --repo "$repo" loop.yml \
            --commit "$(shuf -n1 -e "$first" "$second")" >/dev/null 2>&1 &
        pid=$!
        sleep "0.$((RANDOM % 8))$((RANDOM % 10))"
        # run-job is the one that writes
        pkill -9 -P "$pid" run-job
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}
for _ in 1 2 3 4; do worker & done
wait
wait_for all_ended
ok "after kill -9 of four at a time, all is as it was" good
"$BERTH_LIBEXEC/run-job" --sweep "$BERTH_STATE_DIR/sandboxes" >/dev/null
is "$(find "$BERTH_STATE_DIR/cache/staging" "$BERTH_STATE_DIR/cache/trash" \
    -mindepth 1 | wc -l)" 0 "and nothing lies about"
is "$(traces | grep -v redis-server)" "" "nor is anything mounted or running"

done_testing
