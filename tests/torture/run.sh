#!/bin/bash
# tests/torture/run.sh - each call of a kind fails in turn; no job is lost.
# SPDX-License-Identifier: Apache-2.0
#
# TORTURE_PROGRAMS  worker run-job checkout submit scheduler
# TORTURE_KINDS     write spawn fd redis-send redis-reply
# TORTURE_FROM      the first call that fails (1), TORTURE_STEP every how many
#                   (1), TORTURE_MOST the last (400)
# TORTURE_FAIL      the preloaded library
#
# Jobs go through submit, lease, checkout, a step and completion, all programs
# with sanitizers, while the nth call of one of them fails. Whatever becomes of
# that attempt, the job must pass in the end; nobody may crash or leak; nothing
# may be left; a daemon that is at work must not end of it.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"

programs=${TORTURE_PROGRAMS:-worker run-job checkout submit scheduler}
kinds=${TORTURE_KINDS:-write spawn fd redis-send redis-reply}
lib=${TORTURE_FAIL:-$tap_root/build/debug/tests/torture/fail.so}
sock=$TEST_TMP/r
config=$TEST_TMP/berth.yml
pool='berth:{torture}:'
export TORTURE_PLAN=$TEST_TMP/plan TORTURE_NOTE=$TEST_TMP/note
export ASAN_OPTIONS=verify_asan_link_order=0:handle_abort=1:exitcode=99
export UBSAN_OPTIONS=exitcode=99:print_stacktrace=1
export LSAN_OPTIONS=exitcode=99

# ---- what is there -----------------------------------------------------------
redis() {
    redis-cli -s "$sock" "$@"
}

declare -A pid_of=()

finish() {
    kill "${pid_of[@]}" 2>/dev/null
    wait "${pid_of[@]}" 2>/dev/null
}
trap finish EXIT

start_redis() {
    redis-server --port 0 --unixsocket "$sock" --dir "$TEST_TMP" --save '' \
        --daemonize no --loglevel warning >"$TEST_TMP/redis.log" 2>&1 &
    pid_of[redis]=$!
    wait_for redis ping
}

# The repository, the configuration, and our programs, of which checkout is
# given the library: its environment is a list of its own.
make_files() {
    local name
    chmod 711 "$TEST_TMP" # sandboxes are entered by another user
    git init -q -b main "$TEST_TMP/repo"
    echo '{name: filed, sandbox: {instance_type: lite}, steps: [{run: "true"}]}' \
        >"$TEST_TMP/repo/ci.yml"
    git -C "$TEST_TMP/repo" add ci.yml
    git -C "$TEST_TMP/repo" -c user.name=Test -c user.email=test@example.org \
        commit -q -m first
    mkdir "$TEST_TMP/libexec"
    ln -s "$BERTH_LIBEXEC"/* "$TEST_TMP/libexec"
    rm "$TEST_TMP/libexec/checkout"
    cat >"$TEST_TMP/libexec/checkout" <<WRAP
#!/bin/sh
export LD_PRELOAD='$lib' TORTURE_PLAN='$TORTURE_PLAN' TORTURE_NOTE='$TORTURE_NOTE'
exec '$BERTH_LIBEXEC/checkout' "\$@" 2>>'$TEST_TMP/checkout.log'
WRAP
    chmod 755 "$TEST_TMP/libexec/checkout"
    export BERTH_LIBEXEC=$TEST_TMP/libexec
    for name in worker scheduler checkout submit; do
        : >"$TEST_TMP/$name.log"
    done
    chmod 666 "$TEST_TMP/checkout.log"
    cat >"$config" <<YAML
redis: {url: "unix://$sock"}
pool: {name: torture, max_instances: 2}
lease: {duration: 3s, renew: 1s, kill_after: 2s, kill_grace: 1s}
queue: {infrastructure_retries: 20, backoff: 1s, backoff_max: 1s}
worker: {name: w, capacity: 2, poll: 1s}
scheduler: {tick: 1s}
state_dir: $TEST_TMP/state
YAML
}

declare -A armed_at=() started_at=() # sizes of the logs

size_of() {
    stat -c %s "$TEST_TMP/$1.log" 2>/dev/null || echo 0
}

# log_since NAME SIZE
log_since() {
    tail -c "+$(($2 + 1))" "$TEST_TMP/$1.log"
}

# start worker|scheduler [LIBRARY]
start() {
    started_at[$1]=$(size_of "$1")
    env LD_PRELOAD="${2:-}" "$BERTH_BIN" "$1" --config "$config" \
        >>"$TEST_TMP/$1.log" 2>&1 &
    pid_of[$1]=$!
}

# As its service manager would; sets `deaths` and `complaint`. It may end of
# what befell it as it started, if it says so, and never at work.
start_again() {
    local name status
    for name in worker scheduler; do
        if [ -z "${pid_of[$name]:-}" ] || kill -0 "${pid_of[$name]}" 2>/dev/null
        then
            continue
        fi
        wait "${pid_of[$name]}"
        status=$?
        deaths="$deaths $name:$status"
        log_since "$name" "${started_at[$name]}" >"$TEST_TMP/last"
        grep -qE 'jobs at a time|keeps the pool' "$TEST_TMP/last" &&
            complain "the $name ended at work ($status)"
        [ -s "$TEST_TMP/last" ] || complain "the $name ended without a word"
        # With 2 it would not be started again: only wrong settings are.
        [ "$status" != 2 ] ||
            grep -q 'cannot read the configuration' "$TEST_TMP/last" ||
            complain "the $name ended with 2"
        [ "$status" -lt 99 ] || complain "the $name ended with $status"
        start "$name"
    done
}

# stop NAME: it has to end well
stop() {
    [ -n "${pid_of[$1]:-}" ] || return
    kill -TERM "${pid_of[$1]}" 2>/dev/null
    wait "${pid_of[$1]}" || complain "the $1 ended with $?"
    unset "pid_of[$1]"
}

# ---- one call ----------------------------------------------------------------
# arm PROGRAM KIND N
arm() {
    local name=$1
    case $name in
    worker | scheduler | submit) name=berth ;;
    esac
    echo "$name $2 $3" >"$TORTURE_PLAN"
    : >"$TORTURE_NOTE"
    chmod 666 "$TORTURE_NOTE"
    complaint=
    deaths=
    for name in worker scheduler checkout submit; do
        armed_at[$name]=$(size_of "$name")
    done
}

complain() {
    complaint="$complaint${complaint:+; }$*"
}

# put_in ID PIPELINE: by the inbox
put_in() {
    redis -x lpush "${pool}inbox" >"$TEST_TMP/put" \
        <<<"{id: $1, repo: $TEST_TMP/repo, pipeline: $2}"
}

# await COMMAND…: until it succeeds, and in 60 s at most
await() {
    local until=$((SECONDS + 60))
    while ! "$@"; do
        [ $SECONDS -lt $until ] || return 1
        start_again
        sleep 0.03
    done
}

# shellcheck disable=SC2317 # await calls these
{
    has_ended() { [ -n "$(redis hget "${pool}job:$1" ended_at_ms)" ]; }
    is_in() { [ "$(redis exists "${pool}job:$1")" = 1 ]; }
    is_free() { [ "$(redis zcard "${pool}slots")" = 0 ]; }
    is_empty() { [ -z "$(ls -A "$1" 2>/dev/null)" ]; }
}

expect_passed() {
    local state
    await has_ended "$1" || complain "$1 never ended"
    state=$(redis hget "${pool}job:$1" state)
    [ "$state" = passed ] || complain "$1 is '$state'" \
        "$(redis hget "${pool}job:$1" result | grep -o '"message":"[^"]*"')"
}

look_at_logs() {
    local name found
    for name in worker scheduler checkout submit; do
        found=$(log_since "$name" "${armed_at[$name]}" |
            grep -m1 -A6 -E 'Sanitizer|runtime error') &&
            complain "$name: $found"
    done
}

look_around() {
    await is_empty "$TEST_TMP/state/sandboxes" || complain "a sandbox is left"
    await is_empty "$TEST_TMP/state/leases" || complain "a lease is left"
    await is_free || complain "a slot is taken"
}

torture_worker() {
    start worker "$lib"
    put_in "$1" '{sandbox: {instance_type: lite}, steps: [{run: echo hello}]}'
    expect_passed "$1"
    stop worker
    look_around
}

torture_run-job() {
    put_in "$1" '{sandbox: {instance_type: lite},
        steps: [{checkout: }, {run: echo hello}]}'
    expect_passed "$1"
    look_around
}

torture_checkout() {
    torture_run-job "$1"
}

submit() {
    env LD_PRELOAD="$lib" "$BERTH_BIN" submit --config "$config" \
        "$TEST_TMP/job" >>"$TEST_TMP/submit.log" 2>&1
}

torture_submit() {
    local rc=0
    echo "{id: $1, repo: $TEST_TMP/repo, pipeline: ci.yml}" >"$TEST_TMP/job"
    submit || rc=$?
    case $rc in
    0) ;;
    2 | 3)
        [ "$(size_of submit)" -gt "${armed_at[submit]}" ] || complain "it failed without a word"
        submit || complain "it fails again"
        ;;
    *) complain "it exited with $rc" ;;
    esac
    is_in "$1" || complain "the job is not there"
    entered+=("$1")
}

torture_scheduler() {
    start scheduler "$lib"
    put_in "$1" ci.yml
    await is_in "$1" || complain "the job is not there"
    stop scheduler
    [ "$(redis exists "${pool}inbox")" = 0 ] || complain "the inbox is not empty"
    [ "$(redis zcard "${pool}rejected")" = 0 ] || {
        complain "the document was rejected"
        redis del "${pool}rejected" >/dev/null
    }
    entered+=("$1")
}

# ---- all calls of a kind -----------------------------------------------------
show_logs() {
    local name
    for name in worker scheduler checkout submit; do
        log_since "$name" "${armed_at[$name]}" | tail -n 20 |
            sed "s/^/# $name: /"
    done
}

# torture PROGRAM KIND
torture() {
    local done=0 wrong=0 ended=0 n id
    entered=()
    deaths=
    case $1 in
    worker) start scheduler ;;
    scheduler) start worker ;;
    submit) start worker && start scheduler ;;
    *) start worker "$lib" && start scheduler ;; # it hands it on
    esac
    for ((n = ${TORTURE_FROM:-1}; n <= ${TORTURE_MOST:-400}; \
        n += ${TORTURE_STEP:-1})); do
        arm "$1" "$2" "$n"
        "torture_$1" "t-$1-$2-$n"
        look_at_logs
        if [ -n "$complaint" ]; then
            wrong=$((wrong + 1))
            diag "$1: $2 $n ($(cat "$TORTURE_NOTE")): $complaint"
            show_logs
        fi
        [ -z "$deaths" ] || ended=$((ended + 1))
        [ -s "$TORTURE_NOTE" ] || break # there is no nth call
        done=$((done + 1))
    done
    arm none none 0
    for id in ${entered[@]+"${entered[@]}"}; do
        expect_passed "$id"
    done
    look_around
    stop worker
    stop scheduler
    is "$complaint$deaths" '' "$1: all is well after $2"
    is "$wrong" 0 "$1: $done calls of kind $2 failed in turn, $ended ended it"
}

start_redis
make_files
for program in $programs; do
    for kind in $kinds; do
        case "$program $kind" in
        "run-job redis"* | "checkout redis"* | "checkout spawn") ;;
        *) torture "$program" "$kind" ;;
        esac
    done
done
done_testing
