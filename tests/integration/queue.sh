#!/bin/bash
# tests/integration/queue.sh - the Lua scripts under many processes at once.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

lua=$tap_root/scheduler/queue/lua
sock=$TEST_TMP/s
pool='berth:{it}:'
jobs=30 workers=5 limit=2

redis() {
    redis-cli -s "$sock" "$@"
}

# script NAME ARG…
script() {
    redis --eval "$lua/$1.lua" "$pool" , "${@:2}"
}

redis-server --port 0 --unixsocket "$sock" --dir "$TEST_TMP" --save '' \
    --daemonize no --loglevel warning >"$TEST_TMP/redis.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null' EXIT
for _ in $(seq 200); do
    redis ping >"$TEST_TMP/ping" 2>&1 && break
    sleep 0.05
done

for i in $(seq "$jobs"); do
    script submit "j$i" default '{}' 60000
done | sort | uniq -c >"$TEST_TMP/submitted"
is "$(tr -s ' ' <"$TEST_TMP/submitted")" " $jobs 1" "all jobs are queued"
is "$(script submit j1 default '{}' 60000)" 0 "a repeat is a no-op"

# One worker: leases until nothing is left; notes each job, and how many slots
# were taken meanwhile.
worker() {
    local n=0 lease id epoch nonce
    while [ "$(redis zcard "${pool}done")" -lt "$jobs" ]; do
        n=$((n + 1))
        nonce=w$1-$n
        mapfile -t lease < <(script lease default "w$1" "$nonce" "$limit" \
            60000 1000 60000)
        id=${lease[0]:-} epoch=${lease[1]:-}
        [ -n "$id" ] || continue
        echo "$id" >>"$TEST_TMP/ran.$1"
        redis zcard "${pool}slots" >>"$TEST_TMP/slots.$1"
        script complete "$id" "$epoch" "$nonce" passed '' '{}' 60000 \
            >>"$TEST_TMP/completed.$1"
    done
}
pids=()
for w in $(seq "$workers"); do
    worker "$w" &
    pids+=($!)
done
wait "${pids[@]}"

cat "$TEST_TMP"/ran.* | sort | uniq -c | awk '$1 != 1' >"$TEST_TMP/twice"
is "$(cat "$TEST_TMP"/ran.* | wc -l)" "$jobs" "every job ran"
is "$(cat "$TEST_TMP/twice")" "" "none ran twice"
is "$(sort -n "$TEST_TMP"/slots.* | tail -n 1)" "$limit" \
    "the limit was reached, and held"
is "$(sort -u "$TEST_TMP"/completed.*)" ok "every result was taken"
is "$(redis exists "${pool}slots" "${pool}leases" "${pool}ready:default")" 0 \
    "nothing is left waiting or running"
is "$(redis --scan --pattern '*grant*')" "" "no grant is left"
for i in $(seq "$jobs"); do
    redis pttl "${pool}job:j$i"
done | awk '$1 <= 0 || $1 > 60000' >"$TEST_TMP/lifetimes"
is "$(cat "$TEST_TMP/lifetimes")" "" "every ended job has a lifetime"
done_testing
