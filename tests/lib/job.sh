# tests/lib/job.sh - running jobs for real, and seeing what they leave behind.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh. The state is $TEST_TMP/state; then:
#   make_repo DIR              a Git repository of what is in DIR, with fixed
#                              dates, so that its commit is always the same
#   job [OPTION…] PIPELINE     berth run --json in $repo: exit status in
#                              $job_status, the result in $TEST_TMP/result.json,
#                              the rest in $TEST_TMP/job.err
#   result PATH                a value of the result: .state, .steps[0].reason
#   traces                     what the state directory's jobs left running,
#                              mounted or lying about; nothing is good
#   $job_tag                   what makes a job's id no other test's, who runs
#                              beside: cgroups are known by it
#   all_ended                  none of its processes are left, but Redis'
#   is_valid_result NAME       a test: the result obeys its schema

BERTH_STATE_DIR=$TEST_TMP/state
export BERTH_STATE_DIR
repo=$TEST_TMP/repo
# shellcheck disable=SC2034 # of the tests
job_tag=-$$

make_repo() {
    git -C "$1" init -q -b main
    git -C "$1" add -A
    GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z \
        GIT_AUTHOR_NAME=Test GIT_AUTHOR_EMAIL=test@example.org \
        GIT_COMMITTER_NAME=Test GIT_COMMITTER_EMAIL=test@example.org \
        git -C "$1" commit -q --allow-empty -m "${2:-first}"
}

job() {
    job_status=0
    "$BERTH_BIN" run --json --repo "$repo" "$@" \
        >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err" || job_status=$?
    export job_status
}

result() {
    node -e '
        const doc = JSON.parse(require("fs").readFileSync(process.argv[1]));
        const path = process.argv[2].match(/[^.[\]]+/g);
        const v = path.reduce((o, k) => o?.[k], doc);
        console.log(typeof v === "object" ? JSON.stringify(v) : String(v));
    ' "$TEST_TMP/result.json" "$1"
}

is_valid_result() {
    # shellcheck disable=SC2154 # tap.sh's
    ok "$1" node "$tap_root/tests/schema/validate.js" \
        "$tap_root/schemas/result.schema.json" "$TEST_TMP/result.json"
}

traces() {
    local id
    # Processes: by the state directory in their command line.
    pgrep -af "$BERTH_STATE_DIR" | grep -v -e pgrep -e "bash " || true
    grep -F "$BERTH_STATE_DIR" /proc/*/mountinfo 2>/dev/null |
        sort -u -t: -k2 | head -n 5 || true
    losetup -a 2>/dev/null | grep -F "$BERTH_STATE_DIR" || true
    # Cgroups, and those who are in one, carry the job's id.
    while read -r id; do
        grep -ls -e "$id" /proc/[0-9]*/cgroup || true
        find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null
    done < <(cat "$TEST_TMP/job-ids" 2>/dev/null)
    if [ -d "$BERTH_STATE_DIR/sandboxes" ]; then
        find "$BERTH_STATE_DIR/sandboxes" -mindepth 1 -maxdepth 1
    fi
    return 0
}

all_ended() {
    ! pgrep -af "$BERTH_STATE_DIR" | grep -v redis-server
}

# Remember the job's id, so that traces knows its cgroups.
remember_job() {
    result .job.id >>"$TEST_TMP/job-ids"
}
