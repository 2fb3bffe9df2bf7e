#!/bin/bash
# tests/e2e/up.sh - berth up: from a document to its result, on one host.
# timeout 300
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

export BERTH_STATE_DIR=$TEST_TMP/state
unset BERTH_REDIS BERTH_CONFIG

# children: how many processes of it there are
children() {
    pgrep -c -P "$1"
}

cleanup() {
    [ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null
    redis SHUTDOWN NOSAVE >>"$TEST_TMP/shutdown" 2>&1
}
trap cleanup EXIT
redis() {
    redis-cli -s "$BERTH_STATE_DIR/redis/redis.sock" "$@"
}
berth() {
    timeout 120 "$BERTH_BIN" "$@"
}
up() {
    "$BERTH_BIN" up >>"$TEST_TMP/up.log" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        [ "$(redis ZCARD 'berth:{default}:workers' 2>/dev/null)" = 1 ] &&
            [ "$(redis ZCARD 'berth:{default}:schedulers')" -ge 1 ] &&
            [ "$(children "$pid")" = 2 ] && return
        sleep 0.1
    done
    diag "$(cat "$TEST_TMP/up.log")"
}
up
is "$(children "$pid")" 2 "it is a scheduler and a worker"
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
    redis HGET 'berth:{default}:run:fleet' $((n - 1))
done | paste -sd ' ')" "passed passed failed passed skipped" \
    "each of its jobs came out as it should"
like "$(berth logs fleet)" "cleaned" "the log of a run is that of its jobs"
redis -x LPUSH 'berth:{default}:inbox' >"$TEST_TMP/put" \
    <<<'{id: inboxed, pipeline: {steps: [{run: "true"}]}}'
for _ in $(seq 300); do
    state=$(redis HGET 'berth:{default}:job:inboxed' state)
    [ "$state" = passed ] && break
    sleep 0.1
done
is "$state" passed "what is put into the inbox is run, too"

kill -TERM "$pid"
wait "$pid"
is $? 0 "TERM ends it"
is "$(redis PING 2>/dev/null)" '' "and its Redis"

up
is "$(redis HGET 'berth:{default}:job:hello' state)" passed \
    "the next one has its jobs again"
kill -INT "$pid"
wait "$pid"
is $? 0 "INT ends it, too"

up
pgrep -P "$pid" >"$TEST_TMP/children"
kill -9 "$pid"
wait "$pid" 2>/dev/null
alive=2
for _ in $(seq 200); do
    alive=0
    while read -r child; do
        [ ! -d "/proc/$child" ] || alive=$((alive + 1))
    done <"$TEST_TMP/children"
    [ "$alive" = 0 ] && break
    sleep 0.1
done
is "$alive" 0 "its children end with it, even if it is killed"

up
kill -9 "$(pgrep -P "$pid" | head -n 1)"
wait "$pid"
is $? 1 "when one of them dies it ends, and fails"
like "$(cat "$TEST_TMP/up.log")" "ended by itself" "saying so"
pid=
done_testing
