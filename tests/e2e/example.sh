#!/bin/bash
# tests/e2e/example.sh - the example that `make run` takes through berth.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)

# The script wants the layout of a build directory.
mkdir -p "$TEST_TMP/build/bin" "$TEST_TMP/build/libexec"
ln -s "$BERTH_BIN" "$TEST_TMP/build/bin/berth"
export BERTH_STATE_DIR=$TEST_TMP/state NO_COLOR=1
repo=$BERTH_STATE_DIR/example

out=$("$top/deploy/run-example.sh" "$TEST_TMP/build" 2>&1)
is "$?" 0 "the example passes"
like "$out" "npm test +✓ passed" "its tests ran"
like "$out" "passed in [0-9]" "the report ends it"
first=$(git -C "$repo" rev-parse HEAD)

out=$("$top/deploy/run-example.sh" "$TEST_TMP/build" -q 2>&1)
is "$?" 0 "again"
is "$(git -C "$repo" rev-parse HEAD)" "$first" "it is the same commit every time"

# The repository has a directory `test`: that must not hide the pipeline.
out=$(cd "$repo" && "$BERTH_BIN" run test -q 2>&1)
is "$?: $(tail -n 1 <<<"$out" | cut -c 1-6)" "0: passed" "berth run test, inside"

# What the pipeline runs is what the commit says, not the working tree.
echo "throw new Error('broken')" >>"$repo/lib/notes.js"
out=$(cd "$repo" && "$BERTH_BIN" run test 2>&1)
is "$?" 0 "a dirty tree does not matter"
like "$out" "not committed|uncommitted|changed" "but is said"
git -C "$repo" commit -q -a -m 'Break it'
out=$(cd "$repo" && "$BERTH_BIN" run test 2>&1)
is "$?" 1 "a broken commit fails"
like "$out" "broken" "what failed is shown"
is "$(find "$BERTH_STATE_DIR/sandboxes" -mindepth 1)" "" "no sandbox is left"
done_testing
