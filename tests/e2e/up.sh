#!/bin/bash
# tests/e2e/up.sh - berth up: from a document to its result, on one host.
# timeout 300
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/up.sh
. "$(dirname "$0")/../lib/up.sh"

export BERTH_STATE_DIR=$TEST_TMP/state
unset BERTH_REDIS BERTH_CONFIG

berth() {
    timeout 120 "$BERTH_BIN" "$@"
}
up
is "$(up_children)" 2 "it is a scheduler and a worker"
berth submit --follow - >"$TEST_TMP/out" 2>"$TEST_TMP/err" <<'EOF'
id: hello
pipeline:
  name: hello
  steps:
    - run: echo "said by $WHO"
      env: {WHO: "${{ inputs.who }}"}
inputs: {who: up}
EOF
is $? 0 "a document is submitted and followed to its end"
like "$(cat "$TEST_TMP/out")" "said by up" "its output is printed"
like "$(cat "$TEST_TMP/err")" "hello: passed" "and how it ended"

berth submit --wait - >"$TEST_TMP/out" 2>"$TEST_TMP/err" <<'EOF'
id: fleet
pipeline:
  jobs:
    build: {steps: [{run: echo built}]}
    test:
      needs: build
      matrix: {n: [1, 2], fail-fast: false}
      env: {N: "${{ matrix.n }}"}
      steps: [{run: test $N = 1}]
    clean: {needs: test, if: always(), steps: [{run: echo cleaned}]}
    deploy: {needs: test, steps: [{run: echo never}]}
EOF
is $? 1 "a run of several jobs fails with one of them"
like "$(cat "$TEST_TMP/err")" "fleet: failed: step_failed" "saying so"
is "$(for n in 1 2 3 4 5; do
    up_redis HGET 'berth:{default}:run:fleet' $((n - 1))
done | paste -sd ' ')" "passed passed failed passed skipped" \
    "each of its jobs came out as it should"
like "$(berth logs fleet)" "cleaned" "the log of a run is that of its jobs"
up_redis -x LPUSH 'berth:{default}:inbox' >"$TEST_TMP/put" \
    <<<'{id: inboxed, pipeline: {steps: [{run: "true"}]}}'
has_passed() {
    [ "$(up_redis HGET 'berth:{default}:job:inboxed' state)" = passed ]
}
ok "what is put into the inbox is run, too" wait_for has_passed

up_end TERM
is $? 0 "TERM ends it"
is "$(up_redis PING 2>/dev/null)" '' "and its Redis"

up
is "$(up_redis HGET 'berth:{default}:job:hello' state)" passed \
    "the next one has its jobs again"
up_end INT
is $? 0 "INT ends it, too"

up
pgrep -P "$up_pid" >"$TEST_TMP/children"
up_end KILL
children_ended() {
    local child
    while read -r child; do
        [ ! -d "/proc/$child" ] || return 1
    done <"$TEST_TMP/children"
}
ok "its children end with it, even if it is killed" wait_for children_ended

up
kill -9 "$(pgrep -P "$up_pid" | head -n 1)"
wait "$up_pid"
is $? 1 "when one of them dies it ends, and fails"
like "$(cat "$TEST_TMP/up.log")" "ended by itself" "saying so"
up_pid=
done_testing
