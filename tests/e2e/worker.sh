#!/bin/bash
# tests/e2e/worker.sh - `berth worker` with real sandboxes, killed and stopped.
# SPDX-License-Identifier: Apache-2.0
# timeout 240
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"
# shellcheck source=../lib/queue.sh
. "$tap_root/tests/lib/queue.sh"
cd "$TEST_TMP" || exit 1

socket=$TEST_TMP/s
redis_start
worker_pid=
trap 'kill -9 "$redis_pid" $worker_pid 2>/dev/null' EXIT
mkdir -p "$repo"
echo one >"$repo/file.txt"
make_repo "$repo"

# ---- jobs: what `berth run` queued, queued again for the worker -----------------
# payload NAME: of the pipeline on standard input, which must fail in a run
payload() {
    local key
    { echo "sandbox: { instance_type: lite }"; cat; } >"$1.yml"
    "$BERTH_BIN" run --quiet --repo "$repo" --redis "unix://$socket" \
        --input hurry=1 "$1.yml" >/dev/null 2>&1
    key=$(redis-cli -s "$socket" --scan --pattern '*:job:run-*' | head -n 1)
    redis-cli -s "$socket" hget "$key" payload | sed 's/"hurry":"1"/"hurry":"0"/' \
        >"$1.json"
    redis-cli -s "$socket" flushall >/dev/null
}
payload fails <<'Y'
name: fails
steps:
  - checkout:
  - run: cat file.txt; echo of the worker; exit 3
Y
payload waits <<'Y'
name: waits
steps:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      echo waiting; sleep 3171
Y
submit() { # submit ID NAME
    job "$1$job_tag" infra_retries=3 payload="$(cat "$2.json")"
    echo "$1$job_tag" >>"$TEST_TMP/job-ids"
}
field() { # field ID NAME
    redis-cli -s "$socket" hget "berth:{default}:job:$1$job_tag" "$2"
}
has_field() {
    field "$1" "$2" | grep -x "$3"
}
wait_field() { # wait_field ID NAME VALUE
    wait_for has_field "$@"
}
sleeps() {
    pgrep -x -f "sleep 3171" >/dev/null
}

cat >berth.yml <<Y
redis: { url: "unix://$socket" }
pool: { max_instances: 10 }
lease: { duration: 60s, renew: 1s, kill_after: 4s }
worker: { name: w1, capacity: 2, min_disk: 1KiB, min_memory: 1KiB, warm_pool: {} }
Y
start_worker() {
    "$BERTH_BIN" worker --config berth.yml >worker.log 2>&1 &
    worker_pid=$!
}
ended() {
    status=0
    wait "$worker_pid" || status=$?
    worker_pid=
}

# ---- a job, for real ---------------------------------------------------------------
start_worker
submit one fails
ok "a job runs to its end" wait_field one state failed
is "$(field one reason)" step_failed "which its step decided"
field one result >result.json
is_valid_result "its result is a valid one"
is "$(result .steps[1].exit_code)" 3 "with the step's exit code"
stored=$(result .log.stored)
is "$stored" "dir:on/one$job_tag-1.log" "its log is in the store"
ok "where it was said to be" test -s "$BERTH_STATE_DIR/logs/${stored#dir:}"

# ---- the worker is killed -------------------------------------------------------------
submit two waits
ok "another one runs" wait_for sleeps
kill -9 "$worker_pid"
ended 2>/dev/null
start_worker
ok "the next worker gives it back" wait_field two reason worker_lost
is "$(field two state)" delayed "to be tried again"
not_ok "nothing of it runs any more" sleeps
is "$(traces | grep -v -e " worker --config")" "" "and nothing of it is left"
is "$(find "$BERTH_STATE_DIR/leases" -type f)" "" "nor its lease"

# ---- the worker stands still -----------------------------------------------------------
submit three waits
ok "one more runs" wait_for sleeps
kill -STOP "$worker_pid"
began=$SECONDS
gone() { ! sleeps; }
ok "it is gone" wait_for gone
ok "long before the lease ends, at its deadline" test $((SECONDS - began)) -lt 15
kill -CONT "$worker_pid"
ok "the worker gives it up: its lease will expire" \
    wait_for grep -q "job three$job_tag: given up" worker.log
submit four fails
ok "and takes the next" wait_field four state failed
kill -TERM "$worker_pid"
ended
is "$status" 0 "the worker ends when told to"
is "$(traces)" "" "and leaves nothing behind"
done_testing
