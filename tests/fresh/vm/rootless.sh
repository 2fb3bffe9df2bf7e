# tests/fresh/vm/rootless.sh - an ordinary user with a cgroup of her own.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 600
#
# What berth says of its limits has to be true, whichever way it is.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

id ann >/dev/null 2>&1 || useradd -m ann
mine=/sys/fs/cgroup/user.slice/ann
mkdir -p "$mine"
for file in "$mine" "$mine"/cgroup.{procs,subtree_control,threads}; do
    chown ann "$file"
done
mkdir -p "$BERTH_STATE_DIR"
chown ann "$BERTH_STATE_DIR" "$TEST_TMP"
chown -R ann "$repo"

# as_ann STEP: a job of one step
as_ann() {
    cat >"$pipeline" <<Y
sandbox: { instance_type: { cpu: 0.2, memory: 64MiB, disk: 64MiB, pids: 32 } }
steps: [ { name: tries, run: "$1" } ]
Y
    (
        echo "$BASHPID" >"$mine/cgroup.procs" || exit 2
        HOME=/home/ann exec setpriv --reuid ann --regid ann --init-groups \
            "$BERTH_BIN" run --json --repo "$repo" "$pipeline"
    ) >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err"
    job_status=$?
    diag "$(grep -v '^{' "$TEST_TMP/job.err" | tail -n 4)"
}

as_ann "id -u"
is "$job_status $(result .state)" "0 passed" "it works"
unenforced=$(result .sandbox.unenforced)
is "$unenforced" "memory, cpu" "it says what is not enforced"
like "$(cat "$TEST_TMP/job.err")" "warning: .*$unenforced" "and warns"
as_ann "python3 -c 'x = bytearray(200 << 20)'"
is "$(result .state)" passed "memory is not"
as_ann "timeout 5 sh -c 'while :; do :; done'; true"
ok "cpu is not ($(result .steps[0].cpu_ms) of $(result .steps[0].duration_ms) ms)" \
    test $((100 * $(result .steps[0].cpu_ms))) -gt \
    $((40 * $(result .steps[0].duration_ms)))
as_ann "i=0; while [ \$i -lt 100 ]; do sleep 9 & i=\$((i+1)); done"
is "$(result .state)" failed "pids is"
as_ann "head -c 100000000 /dev/zero >big"
is "$(result .reason)" disk_full "disk is"
is "$(traces)" "" "nothing is left"
done_testing
