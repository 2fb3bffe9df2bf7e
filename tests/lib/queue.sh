# tests/lib/queue.sh - a private Redis and the queue's scripts, for bash tests.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh; then:
#   redis_start            starts $TEST_TMP/s; stop it in a trap: redis_stop
#   redis ARG…             redis-cli
#   script NAME ARG…       a script of the queue in $pool, with what it shares
#   script_file NAME       -> the file of it, made at the first time
#   job ID [NAME=VALUE]…   puts a job in; the names are in job_words
#   begin_child …          has a run begin one of its jobs
#   lease WORKER [LABELS]  -> id and epoch, or the word; nonce: n-WORKER
#   complete ID EPOCH WORKER STATE [REASON [RESULT [INFRA]]]
#   report_take NONCE HOST…, report_done HOST NONCE WHAT [MESSAGE [AFTER_MS [NOTES]]]
#   renew WORKER NAME VALUE…   a worker is there and says so

# shellcheck disable=SC2154 # of tap.sh
queue_lua=$tap_root/scheduler/queue/lua
pool='berth:{default}:'

redis_start() {
    redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" \
        --save '' --appendonly yes --daemonize no --loglevel warning \
        >>"$TEST_TMP/redis.log" 2>&1 &
    redis_pid=$!
    wait_for redis ping
}

redis_stop() {
    kill "$redis_pid" 2>/dev/null
    wait "$redis_pid" 2>/dev/null
}

redis() {
    redis-cli -s "$TEST_TMP/s" "$@"
}

# What scheduler/queue/scripts.c puts before a script.
script_parts() {
    case $1 in
    submit | advance) echo pool ready slots reports ending accept ;;
    lease | complete | configure | promote | why)
        echo pool ready slots reports ending grant ;;
    drain) echo pool ready ;;
    reject | giveback) echo pool refuse ;;
    watch | fire | worker | rejected | forget | look | ends) echo pool ;;
    list) echo pool lanes ;;
    depths) echo pool lanes reports ;;
    audit) echo pool lanes slots reports ;;
    trim) echo pool logs slots reports ;;
    report_* | unreported | change) echo pool reports ;;
    *) echo pool ready slots reports ending ;;
    esac
}

script_file() {
    local part file=$TEST_TMP/script-$1.lua

    if [ ! -e "$file" ]; then
        for part in $(script_parts "$1"); do
            cat "$queue_lua/lib/$part.lua"
        done >"$file"
        cat "$queue_lua/$1.lua" >>"$file"
    fi
    echo "$file"
}

script() {
    redis --eval "$(script_file "$1")" "$pool" , "${@:2}"
}

# job_words ID [NAME=VALUE]…: sets `words`, what accept.lua takes
job_words() {
    local id=$1 pair
    local -A f=([payload]='{}' [run_jobs]=0 [tenant]=none [pipeline]=test
        [class]=2 [labels]='' [not_before]=0 [group]='' [job_retries]=0
        [infra_retries]='' [about]='' [report]='' [as_of_ms]=0)

    for pair in "${@:2}"; do
        f[${pair%%=*}]=${pair#*=}
    done
    words=("$id" "${f[payload]}" "${f[run_jobs]}" "${f[tenant]}" "${f[pipeline]}"
        "${f[class]}" "${f[labels]}" "${f[not_before]}" 0 '' 0 "${f[group]}"
        0 0 "${f[job_retries]}" "${f[infra_retries]}" "${f[report]}"
        "${f[about]}" "${f[as_of_ms]}")
}

job() {
    job_words "$@"
    script submit '' '' "${words[@]}" >"$TEST_TMP/submitted"
}

# begin_child RUN REV INDEX SKIPPED [NAME=VALUE]…: a run has its job INDEX put
# in, and its job SKIPPED passed over
begin_child() {
    job_words "$1-$(($3 + 1))" "${@:5}"
    script advance "$1" "$2" 1 1 "$4" 0 '' '' '' "$3" "${words[@]}"
}

lease() {
    script lease "$1" "${2:-}" 100 120000 15000 0 "n-$1" 0 | head -n 2
}

complete() {
    script complete "$3" '' 100 120000 15000 0 "$1" "$2" "n-$3" "$4" "${5:-}" \
        "${6:-{\}}" "${7:-0}" 0.5 '' 0
}

# report_take NONCE HOST… -> the host and the job that is to be told there
report_take() {
    script report_take s1 "$1" 60000 "${@:2}" | head -n 2
}

# report_done HOST NONCE WHAT [MESSAGE [AFTER_MS [NOTES]]]
report_done() {
    script report_done "$1" "$2" "$3" "${4:-}" "${5:-0}" 0.5 "${6:-}" 2 1 0
}

renew() {
    script renew "$1" 120000 15000 $((($# - 1) / 2)) "${@:2}"
}
