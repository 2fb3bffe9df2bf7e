#!/bin/bash
# tests/integration/embedded.sh - runs that share one embedded Redis.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/fake_job.sh
. "$(dirname "$0")/../lib/fake_job.sh"

# Servers that work in this state directory.
servers() {
    local cwd n=0
    for cwd in /proc/[0-9]*/cwd; do
        [ "$(readlink "$cwd" 2>/dev/null)" = "$BERTH_STATE_DIR/redis" ] &&
            n=$((n + 1))
    done
    echo "$n"
}

waits() {
    grep -qs waiting "$1"
}

fake_run pass >"$TEST_TMP/out" 2>&1
is "$?" 0 "a run starts a server of its own"
is "$(servers)" 0 "and leaves none"

fake_exec hang >"$TEST_TMP/a" 2>&1 &
a=$!
fake_exec hang >"$TEST_TMP/b" 2>&1 &
b=$!
ok "two runs at once both run" wait_for waits "$TEST_TMP/a"
ok "the second too" wait_for waits "$TEST_TMP/b"
is "$(servers)" 1 "they share one server"
kill -INT "$a"
wait "$a"
is "$?" 130 "the first is cancelled"
is "$(servers)" 1 "the server stays for the second"
kill -KILL "$b"
wait "$b" 2>/dev/null
is "$(servers)" 1 "a killed run stops nothing"
fake_run pass >"$TEST_TMP/out" 2>&1
is "$?" 0 "the next run joins"
is "$(servers)" 0 "and, the last, stops it"

# Another starts or stops the server, and takes its time.
flock "$BERTH_STATE_DIR/redis/lock" sleep 100 &
locker=$!
locked() {
    ! flock -n "$BERTH_STATE_DIR/redis/lock" true
}
wait_for locked
fake_exec pass >"$TEST_TMP/out" 2>&1 &
a=$!
sleep 0.7
ok "a run waits for the lock" kill -0 "$a"
before=$SECONDS
kill -TERM "$a"
wait "$a"
is "$?" 130 "it can be cancelled meanwhile"
ok "at once" test $((SECONDS - before)) -lt 3
pkill -P "$locker"
wait "$locker" 2>/dev/null
is "$(servers)" 0 "and leaves nothing"
done_testing
