#!/bin/bash
# tests/torture/run.sh - each call of a kind fails in turn; no job is lost.
# SPDX-License-Identifier: Apache-2.0
#
# TORTURE_STEP   every how many calls (1: each)
# TORTURE_KINDS  write spawn fd redis-send redis-reply
# TORTURE_FAIL   the preloaded library
#
# A worker with sanitizers takes one job through lease, checkout, steps and
# completion while its nth call fails. Whatever becomes of that attempt, the
# job must pass in the end, nobody may crash or leak, and nothing may be left.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

step=${TORTURE_STEP:-1}
kinds=${TORTURE_KINDS:-write spawn fd redis-send redis-reply}
lib=${TORTURE_FAIL:-$tap_root/build/debug/tests/torture/fail.so}
sock=$TEST_TMP/r
pool='berth:{torture}:'
note=$TEST_TMP/note
MOST=400 # calls of a kind and program

redis() {
    redis-cli -s "$sock" "$@"
}

redis-server --port 0 --unixsocket "$sock" --dir "$TEST_TMP" --save '' \
    --daemonize no --loglevel warning >"$TEST_TMP/redis.log" 2>&1 &
server=$!
scheduler=
finish() {
    kill "$scheduler" "$server" 2>/dev/null
    wait "$scheduler" "$server" 2>/dev/null
}
trap finish EXIT
for _ in $(seq 200); do
    redis ping >/dev/null 2>&1 && break
    sleep 0.05
done

chmod 711 "$TEST_TMP" # sandboxes are entered by another user
git init -q -b main "$TEST_TMP/repo"
git -C "$TEST_TMP/repo" -c user.name=Test -c user.email=test@example.org \
    commit -q --allow-empty -m first

cat >"$TEST_TMP/berth.yml" <<END
redis: {url: "unix://$sock"}
pool: {name: torture, max_instances: 1}
lease: {duration: 6s, renew: 1s, kill_after: 4s, kill_grace: 1s}
queue: {infrastructure_retries: 5, backoff: 1s, backoff_max: 1s}
worker: {name: w, capacity: 1, poll: 1s}
scheduler: {tick: 1s}
state_dir: $TEST_TMP/state
END
"$BERTH_BIN" scheduler --config "$TEST_TMP/berth.yml" \
    >"$TEST_TMP/scheduler.log" 2>&1 &
scheduler=$!

submit() {
    redis -x lpush "${pool}inbox" >/dev/null <<END
id: $1
repo: $TEST_TMP/repo
pipeline:
  name: t
  sandbox: {instance_type: lite}
  steps: [{checkout: }, {run: echo hello}]
END
}

# start [VARIABLE…]: a worker; its pid is $worker
start() {
    env "$@" "$BERTH_BIN" worker --config "$TEST_TMP/berth.yml" \
        >>"$TEST_TMP/worker.log" 2>&1 &
    worker=$!
}

# Until job $1 has ended; a worker that died of what failed is started again,
# as its service manager would.
await() {
    local state
    for _ in $(seq 300); do
        state=$(redis hget "${pool}job:$1" ended_at_ms)
        [ -z "$state" ] || return 0
        if ! kill -0 "$worker" 2>/dev/null; then
            wait "$worker"
            deaths="$deaths $?"
            start A=a
        fi
        sleep 0.1
    done
    return 1
}

# one PROGRAM KIND N: sets $complaint
one() {
    local id="t-$1-$2-$3" state
    complaint=
    deaths=
    rm -f "$note"
    : >"$TEST_TMP/worker.log"
    start TORTURE_PROGRAM="$1" TORTURE_KIND="$2" TORTURE_AT="$3" \
        TORTURE_NOTE="$note" LD_PRELOAD="$lib" \
        ASAN_OPTIONS=verify_asan_link_order=0:exitcode=99 \
        UBSAN_OPTIONS=exitcode=99
    submit "$id"
    await "$id" || complaint="it never ended"
    state=$(redis hget "${pool}job:$id" state)
    [ "$state" = passed ] || complaint="$complaint; it is '$state'"
    kill -TERM "$worker" 2>/dev/null
    wait "$worker" || deaths="$deaths $?"
    if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error' \
        "$TEST_TMP/worker.log"; then
        complaint="$complaint; $(grep -m1 -A6 -E \
            'Sanitizer|runtime error' "$TEST_TMP/worker.log")"
    fi
    case " $deaths " in
    *" 99 "* | *" 13"[0-9]" "*) complaint="$complaint; it died:$deaths" ;;
    esac
    if [ -n "$(ls -A "$TEST_TMP/state/sandboxes" 2>/dev/null)" ]; then
        complaint="$complaint; a sandbox is left"
    fi
    [ -z "$complaint" ] || sed 's/^/# /' "$TEST_TMP/worker.log" | tail -n 30
}

for program in berth run-job; do
    for kind in $kinds; do
        case "$program $kind" in
        "run-job redis"*) continue ;;
        esac
        done=0 wrong=0
        for ((n = 1; n <= MOST; n += step)); do
            one "$program" "$kind" "$n"
            if [ -n "$complaint" ]; then
                wrong=$((wrong + 1))
                diag "$program: $kind $n ($(cat "$note")): $complaint"
            fi
            [ -e "$note" ] || break # there is no nth call
            done=$((done + 1))
        done
        is "$wrong" 0 "$program: $done calls of kind $kind failed in turn"
    done
done
is "$(redis zcard "${pool}slots")" 0 "no slot is taken"
done_testing
