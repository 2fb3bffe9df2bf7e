# tests/fresh/vm/containers.sh - a cgroup v2 as containers have it.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 600
#
# Wants a mount namespace of its own.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

cg=/sys/fs/cgroup
cat >"$pipeline" <<'Y'
sandbox: { instance_type: { cpu: 1, memory: 256MiB, disk: 64MiB, pids: 48 } }
steps: [ { name: greets, run: echo hello } ]
Y

# contained GROUP OPTIONS: run the job twice in a cgroup namespace whose top is
# GROUP, with the hierarchy mounted anew, as a container has it
contained() {
    local group=$1 options=$2
    mkdir -p "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs" || exit 2
        # shellcheck disable=SC2016 # for the shell in there
        exec unshare --cgroup --mount bash -c '
            umount -l /sys/fs/cgroup
            mount -t cgroup2 -o "$1" cgroup2 /sys/fs/cgroup || exit 2
            shift
            "$@" >"$TEST_TMP/first.out" 2>&1
            echo "$?" >"$TEST_TMP/first"
            exec "$@"' bash "$options" \
            "$BERTH_BIN" run --json --repo "$repo" "$pipeline"
    ) >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err"
    job_status=$?
    job_status="$(cat "$TEST_TMP/first") $job_status"
    [ "$job_status" = "0 0" ] || diag "$(tail -n 5 "$TEST_TMP/job.err")"
}

# No controllers at all.
mkdir -p "$cg/box"
echo '+cpu +memory +pids' >"$cg/cgroup.subtree_control"
contained "$cg/box/full" rw
is "$job_status $(result .sandbox.unenforced)" "0 0 memory, cpu, pids" \
    "without controllers it runs, and says what is not enforced"
like "$(cat "$TEST_TMP/job.err")" "warning: .*memory, cpu, pids" "and warns"
is "$(traces)" "" "nothing is left"

# With them, as `docker run --privileged` has it.
echo '+cpu +memory +pids' >"$cg/box/cgroup.subtree_control"
contained "$cg/box/full" rw
is "$job_status $(result .sandbox.unenforced)" "0 0 " \
    "a container's own cgroup: all limits are enforced"
ok "its processes went to a leaf" test -d "$cg/box/full/berth.main"
# As `docker run` has it without --privileged.
contained "$cg/box/ro" ro
is "$job_status" "3 3" "a read-only hierarchy: the host is to blame"
like "$(cat "$TEST_TMP/job.err")" "writable /sys/fs/cgroup" \
    "a read-only hierarchy: what to do"
is "$(traces)" "" "nothing is left"

# One with some controllers only.
mkdir -p "$cg/half"
echo '+pids' >"$cg/half/cgroup.subtree_control"
contained "$cg/half/some" rw
is "$job_status $(result .sandbox.unenforced)" "0 0 memory, cpu" \
    "with one controller, the other two"
done_testing
