#!/bin/bash
# tests/integration/queue.sh - the Lua scripts under many processes at once.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=../lib/queue.sh
. "$tap_root/tests/lib/queue.sh"

pool='berth:{it}:'
jobs=60 workers=6 limit=3

trap redis_stop EXIT
redis_start
for name in submit lease complete reap promote; do
    script_file "$name" >/dev/null # not by several at once
done
redis hset "${pool}conf" max_instances "$limit" backoff_ms 1 \
    infra_retries 1000 reaped_at_ms 9999999999999 >/dev/null

# submit ID TENANT CLASS
submit() {
    job_words "$1" tenant="$2" class="$3"
    script submit '' '' "${words[@]}" | tail -n 1
}
for i in $(seq "$jobs"); do
    submit "j$i" "t$((i % 4))" $((i % 3))
done | sort | uniq -c >"$TEST_TMP/submitted"
is "$(tr -s ' ' <"$TEST_TMP/submitted")" " $jobs queued" "all jobs are queued"
is "$(submit j1 t1 1)" exists "a repeat is a no-op"

# One worker: notes each job that it was the one to end. Now and then it drops
# one: the slot expires at once, as it asked for.
worker() {
    local n=0 lease id epoch nonce ms
    while [ "$(redis zcard "${pool}done")" -lt "$jobs" ]; do
        n=$((n + 1))
        nonce=w$1-$n ms=60000
        [ $((n % 7)) -ne 0 ] || ms=-1000
        mapfile -t lease < <(script lease "w$1" '' 99 "$ms" 0 0 "$nonce" 0)
        id=${lease[0]:-} epoch=${lease[1]:-}
        if [ -z "$epoch" ]; then
            script reap 1 1000 0 >/dev/null
            script promote 0 0 >/dev/null
            continue
        fi
        redis zcard "${pool}slots" >>"$TEST_TMP/slots.$1"
        if [ "$ms" = -1000 ]; then
            echo "$id" >>"$TEST_TMP/dropped.$1"
            continue
        fi
        script complete "w$1" '' 99 0 0 0 "$id" "$epoch" "$nonce" passed '' \
            "{\"w\":$1}" 0 0 '' 0 | sed -n 1p >>"$TEST_TMP/completed.$1"
        echo "$id" >>"$TEST_TMP/ran.$1"
    done
}
pids=()
for w in $(seq "$workers"); do
    worker "$w" &
    pids+=($!)
done
wait "${pids[@]}"

cat "$TEST_TMP"/ran.* | sort | uniq -c | awk '$1 != 1' >"$TEST_TMP/twice"
is "$(cat "$TEST_TMP"/ran.* | wc -l)" "$jobs" "every job was ended"
is "$(cat "$TEST_TMP/twice")" "" "none was ended twice"
is "$(sort -n "$TEST_TMP"/slots.* | tail -n 1)" "$limit" \
    "the limit was reached, and held"
is "$(sort -u "$TEST_TMP"/completed.*)" ok "every result was taken"
like "$(cat "$TEST_TMP"/dropped.* | wc -l)" '^[1-9]' \
    "some were dropped, and came back"
is "$(redis exists "${pool}slots" "${pool}delayed" "${pool}ready:0:t0:")" 0 \
    "nothing is left waiting or running"
is "$(script audit 10)" "" "the audit has no complaint"
for i in $(seq "$jobs"); do
    redis pttl "${pool}job:j$i"
done | awk '$1 <= 0 || $1 > 604800000' >"$TEST_TMP/lifetimes"
is "$(cat "$TEST_TMP/lifetimes")" "" "every ended job has a lifetime"
done_testing
