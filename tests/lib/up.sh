# tests/lib/up.sh - berth up in the background.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh, BERTH_STATE_DIR being set; then:
#   up                start it and wait for its two daemons; its pid in
#                     $up_pid, what it says is added to $TEST_TMP/up.log
#   up_end SIGNAL     end it: its exit status
#   up_children       how many processes of it there are
#   up_redis …        redis-cli with its Redis
# What still runs at the end of the script ends with it.
up_pid=

up_redis() {
    redis-cli -s "$BERTH_STATE_DIR/redis/redis.sock" "$@"
}

up_children() {
    pgrep -c -P "$up_pid"
}

up_is_whole() {
    [ "$(up_redis ZCARD 'berth:{default}:workers' 2>/dev/null)" = 1 ] &&
        [ "$(up_redis ZCARD 'berth:{default}:schedulers')" -ge 1 ] &&
        [ "$(up_children)" = 2 ]
}

up() {
    "$BERTH_BIN" up >>"$TEST_TMP/up.log" 2>&1 &
    up_pid=$!
    wait_for up_is_whole || diag "$(cat "$TEST_TMP/up.log")"
}

up_end() {
    local pid=$up_pid
    up_pid=
    kill "-$1" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

up_clean() {
    [ -z "$up_pid" ] || up_end TERM
    up_redis SHUTDOWN NOSAVE >>"$TEST_TMP/shutdown" 2>&1
}
trap up_clean EXIT
