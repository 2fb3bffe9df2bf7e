# tests/fresh/vm/limits.sh - what the kernel has of a job's limits, on cgroup v2.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 600
#
# EXPECT_BASE: the cgroup, from the top, below which berth makes its own.
# SIBLING: one beside it, with one process that has to stay.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

top=/sys/fs/cgroup${EXPECT_BASE:?}
[ "$EXPECT_BASE" != / ] || top=/sys/fs/cgroup

# begin NAME SCRIPT: a job in the background: $pid, and its cgroup in $group
begin() {
    local _
    cat >"$TEST_TMP/$1.yml" <<Y
sandbox: { instance_type: { cpu: 0.5, memory: 256MiB, disk: 256MiB, pids: 48 } }
steps: [ { name: waits, run: "$2" } ]
Y
    "$BERTH_BIN" run --json --repo "$repo" "$TEST_TMP/$1.yml" \
        >"$TEST_TMP/$1.json" 2>"$TEST_TMP/$1.err" &
    pid=$!
    group=
    for _ in $(seq 600); do
        if grep -q ready "$TEST_TMP/$1.err"; then
            group=$(echo "$top"/berth/*/)
            group=${group%/}
            return
        fi
        sleep 0.1
    done
    diag "no job: $(cat "$TEST_TMP/$1.err")"
}

knob() {
    cat "$group/$1" 2>&1
}

# steps_of_job YAML: run it; the result is read with `result`
steps_of_job() {
    {
        echo "sandbox: { instance_type: { cpu: 0.5, memory: 256MiB, disk: 256MiB, pids: 48 } }"
        cat
    } >"$pipeline"
    job "$pipeline"
    remember_job
    [ "$(result .reason)" != sandbox_failed ] || diag "$(cat "$TEST_TMP/job.err")"
}

# --- what is set -------------------------------------------------------------
begin first "echo ready; sleep 300"
ok "the job's cgroup is below ${EXPECT_BASE}" test -d "$group"
is "$(knob memory.max)" $((256 << 20)) "memory.max"
is "$(knob memory.swap.max)" 0 "memory.swap.max"
is "$(knob cpu.max)" "50000 100000" "cpu.max"
is "$(knob pids.max)" 48 "pids.max"
ok "its processes are in it" test "$(find "$group" -name cgroup.procs \
    -exec cat {} + | wc -l)" -ge 3
ok "and counted" test "$(knob memory.current)" -gt 100000
if [ "$top" != /sys/fs/cgroup ]; then
    is "$(cat "$top/cgroup.procs")" "" "no process is in ${EXPECT_BASE} itself"
    ok "they are in berth.main" grep -qx $$ "$top/berth.main/cgroup.procs"
    ok "nothing of ours is at the top" test ! -e /sys/fs/cgroup/berth
fi
if [ -n "${SIBLING:-}" ]; then
    is "$(wc -l <"$SIBLING/cgroup.procs")" 1 "a sibling is let alone"
fi
first=$pid
begin second "echo ready; sleep 300"
is "$(echo "$group" | wc -w)" 2 "a second job has a cgroup of its own"
kill -INT "$pid" "$first"
wait "$pid"
is "$?" 130 "the second is cancelled"
wait "$first"
is "$?" 130 "and the first"
ok "their cgroups are gone" test ! -e "$top/berth"

# --- what they do ------------------------------------------------------------
steps_of_job <<'Y'
steps:
  - { name: uses, run: python3 -c 'x = bytearray(100 << 20)' }
Y
is "$(result .state) $(result .sandbox.unenforced)" "passed " \
    "all limits are enforced"
ok "the peak of memory is known" \
    test "$(result .usage.peak_memory_bytes)" -gt $((90 << 20))
ok "and the time of the CPU" test "$(result .usage.cpu_ms)" -gt 100

steps_of_job <<'Y'
steps:
  - { name: eats, timeout: 3m, run: exec python3 -c 'x = bytearray(800 << 20)' }
  - { name: after, if: always(), run: echo here }
Y
is "$(result .reason)" out_of_memory "memory: the reason"
is "$(result .steps[0].signal)" 9 "memory: the step is killed"
is "$(result .steps[1].outcome)" passed "memory: the agent is not"
ok "memory: none went to the swap" \
    test "$(result .usage.peak_memory_bytes)" -le $((256 << 20))

steps_of_job <<'Y'
steps:
  - name: forks
    timeout: 30s
    run: |
      i=0
      while [ $i -lt 100 ]; do sleep 100 & i=$((i + 1)); done
Y
is "$(result .state)" failed "pids: a hundred processes are too many"
steps_of_job <<'Y'
steps:
  - name: counts
    run: |
      python3 - <<'E'
      import os, time
      n = 0
      try:
          while n < 200:
              if os.fork() == 0:
                  time.sleep(100)
              n += 1
      except OSError:
          pass
      print("forked", n)
      os._exit(0 if 30 < n < 48 else 1)
      E
Y
is "$(result .state)" passed "pids: some forty are not"

steps_of_job <<'Y'
steps:
  - name: bomb
    shell: bash
    timeout: 5s
    run: |
      bomb() { bomb | bomb & }
      bomb
      sleep 60
Y
like "$(result .reason)" '^(timed_out|step_failed)$' "fork bomb: it ends"
is "$(traces)" "" "fork bomb: nothing is left"

steps_of_job <<'Y'
steps:
  - { name: burns, run: "timeout 6 sh -c 'while :; do :; done'; true" }
Y
spent=$(result .steps[0].cpu_ms)
took=$(result .steps[0].duration_ms)
ok "cpu: half of one, not more ($spent of $took ms)" \
    test $((spent * 100)) -lt $((took * 60))
ok "cpu: nor much less" test $((spent * 100)) -gt $((took * 25))

steps_of_job <<'Y'
steps:
  - { name: fills, run: dd if=/dev/zero of=/workspace/big bs=1M count=10000 }
Y
is "$(result .reason)" disk_full "disk: the reason"
is "$(traces)" "" "nothing is left"
ok "not even our parent" test ! -e "$top/berth"

done_testing
