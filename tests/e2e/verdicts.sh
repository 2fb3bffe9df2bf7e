#!/bin/bash
# tests/e2e/verdicts.sh - each way a job can end, with the right reason, the
# host untouched and nothing left behind.
# SPDX-License-Identifier: Apache-2.0
# timeout 400
# long 70
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"

mkdir -p "$repo"
echo "hello" >"$repo/file.txt"
make_repo "$repo"
pipeline=$TEST_TMP/pipeline.yml

# case_of NAME: run the pipeline on stdin and check the result's form
case_of() {
    cat >"$pipeline"
    job "$pipeline"
    remember_job
    is_valid_result "$1: the result obeys its schema"
    is "$(traces)" "" "$1: nothing is left behind"
}

# A job may print 16 MiB a second: this one takes a minute, beside the others.
cat >"$TEST_TMP/loud.yml" <<'Y'
sandbox: { instance_type: standard-3 }
steps:
  - { name: shouts, run: "yes 'a line of a very noisy test' | head -c 1000000000; echo; echo the last line" }
Y
loud=$TEST_TMP/loud
mkdir "$loud"
BERTH_STATE_DIR=$loud/state "$BERTH_BIN" run --json --repo "$repo" \
    "$TEST_TMP/loud.yml" >"$loud/result.json" 2>"$loud/job.err" &
loud_pid=$!

case_of passes <<'Y'
sandbox: { instance_type: lite }
steps:
  - checkout:
  - run: [test -f file.txt, git log --oneline, id -u]
Y
is "$job_status" 0 "passes: exit 0"
is "$(result .state) $(result .reason)" "passed null" "passes: state"
like "$(result .job.commit)" '^[0-9a-f]{40}$' "passes: the commit is named"

case_of fails <<'Y'
sandbox: { instance_type: lite }
steps:
  - checkout:
  - { name: breaks, run: "echo about to break; exit 3" }
  - { name: never, run: "true" }
  - { name: after, if: always(), run: "true" }
Y
is "$job_status" 1 "fails: exit 1"
is "$(result .reason)" step_failed "fails: reason"
is "$(result '.steps[1].exit_code')" 3 "fails: exit code of the step"
is "$(result '.steps[2].outcome') $(result '.steps[3].outcome')" \
    "skipped passed" "fails: later steps are skipped, always() runs"

case_of step-timeout <<'Y'
sandbox: { instance_type: lite }
steps:
  - { name: stubborn, timeout: 1s, run: "trap '' TERM; echo up; while :; do sleep 1; done" }
Y
is "$job_status" 1 "step-timeout: exit 1"
is "$(result .reason)" timed_out "step-timeout: reason"
is "$(result '.steps[0].reason')" timed_out "step-timeout: of the step"
like "$(result .duration_ms)" '^[12][0-9]{4}$' \
    "step-timeout: SIGTERM is ignored, SIGKILL ten seconds later is not"

case_of job-timeout <<'Y'
sandbox: { instance_type: lite }
timeout: 5s
steps:
  - { name: slow, run: sleep 60 }
  - { name: next, run: "true" }
  - { name: after, if: always(), run: echo tidied up }
Y
is "$job_status" 1 "job-timeout: exit 1"
is "$(result .reason)" timed_out "job-timeout: reason"
is "$(result '.steps[1].outcome') $(result '.steps[2].outcome')" \
    "skipped passed" "job-timeout: always() steps run"

case_of out-of-memory <<'Y'
sandbox: { instance_type: lite }
steps:
  - { name: eats memory, timeout: 60s, run: tail /dev/zero }
Y
is "$job_status" 1 "out-of-memory: exit 1"
is "$(result .reason)" out_of_memory "out-of-memory: reason"
like "$(result .message)" "256MiB limit" "out-of-memory: the message says where"

case_of fork-bomb <<'Y'
sandbox: { instance_type: lite }
steps:
  - name: bomb
    shell: bash
    timeout: 5s
    run: |
      bomb() { bomb | bomb & }
      bomb
      sleep 60
Y
is "$job_status" 1 "fork-bomb: exit 1"
like "$(result .reason)" '^(timed_out|step_failed|out_of_memory)$' \
    "fork-bomb: it ends"

case_of disk-full <<'Y'
sandbox: { instance_type: { cpu: 1, memory: 256MiB, disk: 128MiB, pids: 256 } }
steps:
  - { name: writes 10 GB, run: dd if=/dev/zero of=/workspace/big bs=1M count=10000 }
Y
is "$job_status" 1 "disk-full: exit 1"
is "$(result .reason)" disk_full "disk-full: reason"

cat >"$pipeline" <<'Y'
sandbox: { instance_type: lite }
steps:
  - { name: waits, run: "echo waiting; (setsid sleep 300 &); sleep 300" }
  - { name: next, run: "true" }
  - { name: after, if: always(), run: echo tidied up }
Y
"$BERTH_BIN" run --json --repo "$repo" "$pipeline" \
    >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err" &
pid=$!
ok "cancel: the step was running" wait_for grep -q waiting "$TEST_TMP/job.err"
kill -INT "$pid"
job_status=0
wait "$pid" || job_status=$?
remember_job
is "$job_status" 130 "cancel: exit 130"
is "$(result .state) $(result .reason)" "cancelled cancelled" "cancel: reason"
is "$(result '.steps[0].outcome') $(result '.steps[1].outcome') $(result '.steps[2].outcome')" \
    "cancelled skipped passed" "cancel: always() steps run"
is_valid_result "cancel: the result obeys its schema"
is "$(traces)" "" "cancel: nothing is left behind"

"$BERTH_BIN" run --repo "$repo" "$pipeline" >"$TEST_TMP/job.out" 2>&1 &
pid=$!
wait_for grep -q waiting "$TEST_TMP/job.out"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
wait_for all_ended
is "$(pgrep -af "$BERTH_STATE_DIR" | grep -v redis-server)" "" \
    "killed: every process of the job dies with berth"
printf 'steps: [{run: "true"}]\n' >"$pipeline"
job "$pipeline"
remember_job
is "$job_status" 0 "killed: the next run is fine"
is "$(traces)" "" "killed: and sweeps what was left"

job_status=0
wait "$loud_pid" || job_status=$?
mv "$loud/result.json" "$loud/job.err" "$TEST_TMP"
BERTH_STATE_DIR=$loud/state
remember_job
is_valid_result "one-gigabyte: the result obeys its schema"
is "$(traces)" "" "one-gigabyte: nothing is left behind"
is "$job_status" 0 "one-gigabyte: exit 0"
is "$(result .log.bytes)" 1000000015 "one-gigabyte: all of it is counted"
ok "one-gigabyte: most of it is left out" \
    test "$(result .log.dropped_bytes)" -gt 900000000
ok "one-gigabyte: the end of it is there" grep -q "the last line" "$TEST_TMP/job.err"
ok "one-gigabyte: the gap is marked" grep -q "left out" "$TEST_TMP/job.err"

done_testing
