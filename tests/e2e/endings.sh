#!/bin/bash
# tests/e2e/endings.sh - endings that once were judged wrongly: a sandbox that
# dies at the wrong moment, signals at the wrong moment, odd steps.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"

mkdir -p "$repo"
echo "hello" >"$repo/file.txt"
make_repo "$repo"
pipeline=$TEST_TMP/pipeline.yml

# start ARGUMENT…: run the pipeline on stdin in the background, until its first
# step printed "up"; sets $pid
start() {
    cat >"$pipeline"
    : >"$TEST_TMP/job.err"
    "$BERTH_BIN" run --json --repo "$repo" "$@" "$pipeline" \
        >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err" &
    pid=$!
    wait_for grep -q '│ up' "$TEST_TMP/job.err"
}

# naps: the pid of a step's command that sleeps until it is killed
naps() {
    pgrep -x -f 'sleep 3174'
}
gone() {
    ! kill -0 "$1" 2>/dev/null
}
dead() { # dead PID…: none is more than a zombie
    local pid
    for pid in "$@"; do
        gone "$pid" || grep -q '^State:.Z' "/proc/$pid/status" || return 1
    done
}

# finish: wait for it
finish() {
    job_status=0
    wait "$pid" || job_status=$?
    remember_job
}

# The step has passed, but run-job does not know it yet, when the sandbox dies.
start <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: one, run: "echo up; sleep 3174 || true" }
  - { name: the tests, run: exit 1 }
Y
run_job=$(pgrep -P "$pid" -f run-job)
wait_for naps
step=$(ps -o ppid= -p "$(naps)" | tr -d ' ')
kill -STOP "$run_job"
kill "$(naps)"
wait_for gone "$step"
mapfile -t children < <(pgrep -P "$run_job")
kill -KILL "${children[@]}"
wait_for dead "${children[@]}"
kill -CONT "$run_job"
finish
is "$job_status" 3 "the sandbox dies behind a step: it is no success"
is "$(result .reason)" sandbox_failed "the sandbox dies behind a step: reason"
is_valid_result "the sandbox dies behind a step: the result obeys its schema"
is "$(traces)" "" "the sandbox dies behind a step: nothing is left"

# What a step prints last arrives, however long run-job was held up.
start <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - name: shouts
    run: |
      echo up; sleep 3174 || true
      i=0; while [ $i -lt 2300 ]; do i=$((i + 1)); echo "line $i ---------------------------------------------------------------------------------"; done
      echo LAST-LINE
      exit 1
Y
run_job=$(pgrep -P "$pid" -f run-job)
wait_for naps
kill -STOP "$run_job"
kill "$(naps)"
sleep 3
kill -CONT "$run_job"
finish
is "$job_status" 1 "a reader that was held up: exit 1"
ok "a reader that was held up: the last line is there" \
    grep -q LAST-LINE "$TEST_TMP/job.err"

# The time-out came first, so it stays the reason.
start <<'Y'
sandbox: { instance_type: standard-2 }
timeout: 3s
steps:
  - { name: slow, run: sleep 60 }
  - { name: after, if: always(), run: "echo up; sleep 60" }
Y
kill -INT "$pid"
finish
is "$job_status $(result .reason)" "1 timed_out" "Ctrl-C in the clean-up of a time-out"

# Nothing of a killed job is copied while its processes may still run.
start --keep <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: stubborn, run: "trap '' TERM; echo up; while :; do sleep 1; done" }
Y
kill -INT "$pid"
# What comes within half a second is the same Ctrl-C.
wait_for grep -q cancelling "$TEST_TMP/job.err"
sleep 0.6
kill -INT "$pid"
finish
is "$job_status" 130 "a killed job with --keep: exit 130"
ok "a killed job with --keep: says that it keeps nothing" \
    grep -q "is not kept" "$TEST_TMP/job.err"
is "$(ls "$BERTH_STATE_DIR/kept" 2>/dev/null)" "" "a killed job with --keep: keeps nothing"

# A checkout over what earlier steps left, some of it locked.
cat >"$pipeline" <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - run: [mkdir -p a/b, touch a/b/c, chmod 555 a/b, ln -s /etc/passwd link]
  - checkout:
  - run: [test -f file.txt, test ! -e a, test ! -L link, git status]
Y
job "$pipeline"
is "$job_status" 0 "a late checkout replaces the workspace"

# The user's faults are not the infrastructure's.
{
    echo "sandbox: { instance_type: standard-2 }"
    printf 'env:\n  X: "%s"\n' "$(head -c 30000 /dev/zero | tr '\0' x)"
    for i in $(seq 40); do
        # shellcheck disable=SC2016
        printf '  V%d: "${{ env.X }}"\n' "$i"
    done
    echo "steps: [{ run: 'true' }]"
} >"$pipeline"
job "$pipeline"
is "$job_status $(result .reason)" "1 step_failed" "an environment that is too large"

{
    echo "sandbox: { instance_type: standard-2 }"
    printf 'env: { X: "%s" }\n' "$(head -c 30000 /dev/zero | tr '\0' x)"
    echo "steps:"
    for i in $(seq 60); do
        # shellcheck disable=SC2016
        printf '  - { name: "%d ${{ env.X }}", run: "true" }\n' "$i"
    done
} >"$pipeline"
job "$pipeline"
is "$job_status" 0 "names that templates make long are cut"
is_valid_result "names that templates make long: the result obeys its schema"
is "$(traces)" "" "nothing is left behind"

done_testing
