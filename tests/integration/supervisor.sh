#!/bin/bash
# tests/integration/supervisor.sh - what becomes of a job whose run-job fails.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/fake_job.sh
. "$(dirname "$0")/../lib/fake_job.sh"

behaviours="pass fail die exit3 garbage other_job flood"
# All at once: each is a berth run, and a private Redis of its own.
for behaviour in $behaviours; do
    (
        export BERTH_STATE_DIR=$TEST_TMP/$behaviour.state
        status=0
        fake_run "$behaviour" --json >"$TEST_TMP/$behaviour.json" \
            2>"$TEST_TMP/$behaviour.err" || status=$?
        echo "$status" >"$TEST_TMP/$behaviour.status"
    ) &
done
wait

# outcome BEHAVIOUR: "exit state reason", the result checked by its schema
outcome() {
    local status
    status=$(cat "$TEST_TMP/$1.status")
    node "$tap_root/tests/schema/validate.js" \
        "$tap_root/schemas/result.schema.json" "$TEST_TMP/$1.json" \
        >"$TEST_TMP/validated" 2>&1 || status="$status invalid"
    node -e '
        const r = JSON.parse(require("fs").readFileSync(process.argv[2]));
        console.log(process.argv[1], r.state, String(r.reason));
    ' "$status" "$TEST_TMP/$1.json"
}

is "$(outcome pass)" "0 passed null" "one that passes"
is "$(outcome fail)" "1 failed step_failed" "one that fails"
is "$(outcome die)" "3 failed sandbox_failed" "one whose run-job is killed"
is "$(outcome exit3)" "3 failed sandbox_failed" "one that gives no result"
is "$(outcome garbage)" "3 failed sandbox_failed" "one that sends garbage"
is "$(outcome other_job)" "3 failed sandbox_failed" \
    "one that answers for another job"
is "$(outcome flood)" "0 passed null" "one that floods its log"

fake_exec hang --json >"$TEST_TMP/result.json" 2>"$TEST_TMP/err" &
pid=$!
wait_for pgrep -f "$fake_libexec/run-job"
sleep 0.5
kill -INT "$pid"
wait "$pid"
is "$?" 130 "one that is cancelled"
is "$(pgrep -f "$fake_libexec/run-job")" "" "no run-job is left"
done_testing
