#!/bin/bash
# tests/e2e/warm_pool.sh - sandboxes that wait for jobs, with real ones.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# long 60
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
server_pid=
trap 'kill -9 "$redis_pid" $server_pid $worker_pid 2>/dev/null' EXIT
mkdir -p "$repo/dir"
echo one >"$repo/file.txt"
ln -s ../file.txt "$repo/dir/link"
make_repo "$repo"

mkdir www
echo "from outside" >www/page
(cd www && exec python3 -c '
import http.server, sys
server = http.server.ThreadingHTTPServer(
    ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open(sys.argv[1], "w").write(str(server.server_address[1]))
server.serve_forever()' "$TEST_TMP/port" 2>/dev/null) &
server_pid=$!
wait_for test -s port
port=$(cat port)

# ---- jobs: what `berth run` queued, queued again for the worker -----------------
# payload NAME [NETWORK]: of the pipeline on standard input, whose first run is
# short
payload() {
    local key
    { echo "sandbox: { instance_type: lite, network: ${2:-none} }"; cat; } >"$1.yml"
    "$BERTH_BIN" run --quiet --repo "$repo" --redis "unix://$socket" \
        --input hurry=1 "$1.yml" >/dev/null 2>&1
    key=$(redis-cli -s "$socket" --scan --pattern '*:job:run-*' | head -n 1)
    redis-cli -s "$socket" hget "$key" payload | sed 's/"hurry":"1"/"hurry":"0"/' \
        >"$1.json"
    redis-cli -s "$socket" flushall >/dev/null
}
# Everything by which a job could tell one sandbox from another.
payload looks <<'Y'
name: looks
steps:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      env | grep -v ^CI_JOB_ID | sort; id; pwd; hostname; ulimit -a
      find / -xdev -mindepth 1 -maxdepth 2 ! -path '/proc*' -printf '%M %u %p\n' 2>/dev/null | sort
      find /workspace /home /tmp /var/tmp /run -printf '%M %u %g %p\n' | sort
      awk '{ print $5, $6 }' /proc/self/mountinfo | sort
      cat /proc/self/status | grep -e Cap -e Seccomp -e NoNewPrivs
      cat /proc/self/uid_map; ls /proc/self/fd
      df --output=size,itotal /workspace | tail -n 1
      touch /workspace/mark /tmp/mark ~/mark /var/tmp/mark
  - checkout:
  - run: git status --porcelain; cat dir/link; ls -la --time-style=+ /workspace | grep -v ' \.git$'
  - run: ls /workspace; exit 3
Y
payload tree <<'Y'
name: tree
steps:
  - checkout:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      ls -ln --time-style=+ /workspace dir; git log --format=%s; git fsck
      find /workspace -maxdepth 1 -printf '%M %U %p\n' | sort; exit 3
Y
payload grows <<'Y'
name: grows
steps:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      python3 -c 'a = bytearray(1 << 30)'
Y
payload slow <<'Y'
name: slow
steps:
  - timeout: 1s
    env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      sleep 3172
Y
payload full <<'Y'
name: full
steps:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      for i in $(seq 100); do fallocate -l 50M /workspace/big.$i; done
Y
payload waits <<'Y'
name: waits
steps:
  - env: { HURRY: "${{ inputs.hurry }}" }
    run: |
      [ "$HURRY" = 0 ] || exit 1
      echo waiting; sleep 3173
Y
payload fetches "[\"localhost:$port\"]" <<Y
name: fetches
steps:
  - checkout:
  - env: { HURRY: "\${{ inputs.hurry }}" }
    run: |
      [ "\$HURRY" = 0 ] || exit 1
      curl -sS -f --noproxy '' http://localhost:$port/page || exit 1
      until curl -s -f --noproxy '' http://localhost:$port/go; do sleep 0.1; done
Y
submit() { # submit ID NAME
    job "$1$job_tag" infra_retries=0 payload="$(cat "$2.json")"
    echo "$1$job_tag" >>"$TEST_TMP/job-ids"
}
field() { # field ID NAME
    redis-cli -s "$socket" hget "berth:{default}:job:$1$job_tag" "$2"
}
has_ended() {
    [[ $(field "$1" state) =~ ^(passed|failed|cancelled)$ ]]
}
# run ID NAME: and wait for its end
run() {
    submit "$1" "$2"
    wait_for has_ended "$1"
}
log_of() {
    "$BERTH_BIN" logs --config berth.yml "$1$job_tag" 2>/dev/null
}

# ---- the worker, and who waits ---------------------------------------------------
config() { # config WARM_POOL [MIN_MEMORY [ADDRESSES]]
    cat >berth.yml <<Y
redis: { url: "unix://$socket" }
pool: { max_instances: 10 }
lease: { duration: 60s, renew: 1s, kill_after: 4s }
worker:
  name: w1
  capacity: 2
  min_disk: 1KiB
  min_memory: ${2:-1KiB}
  warm_pool: $1
gateway: { allow_addresses: [${3:-}] }
Y
}
start_worker() {
    "$BERTH_BIN" worker --config berth.yml >worker.log 2>&1 &
    worker_pid=$!
}
ended() {
    status=0
    wait "$worker_pid" || status=$?
    worker_pid=
}
# The pids of run-jobs of this worker.
run_jobs() {
    pgrep -P "$worker_pid" -x run-job
}
# The agents below them, whatever their runtimes call themselves.
agents() {
    local pid
    for pid in $(run_jobs); do
        pgrep -P "$(pgrep -d, -P "$pid")" -x agent 2>/dev/null
    done
}
# What those and the processes below them have done so far, and do.
doings() {
    local pid
    for pid in $(run_jobs) $(pgrep -P "$(run_jobs | paste -sd,)") $(agents); do
        grep -h -e '^State' -e ctxt_switches "/proc/$pid/status"
    done
}
# waiting N: there are so many, and all of them have come to rest: the worker
# was told that it may give them a job
waiting() {
    local before
    [ "$(agents | wc -l)" = "$1" ] || return
    before=$(doings)
    sleep 0.2
    [ "$(doings)" = "$before" ] && ! grep -q '^State:.[^S]' <<<"$before" &&
        [ "$(agents | wc -l)" = "$1" ]
}
another() { # another PID: it waits
    waiting 1 && [ "$(run_jobs)" != "$1" ]
}
waits_no_more() {
    [ -z "$(find "$BERTH_STATE_DIR/sandboxes" -mindepth 1 -maxdepth 1)" ]
}
job_pid() { # job_pid ID
    sed 's/.*"pid":\([0-9]*\).*/\1/' "$BERTH_STATE_DIR/leases/$1$job_tag-1"
}

# ---- the same with and without -----------------------------------------------------
config '{}'
start_worker
for job in looks tree grows slow full; do
    run "cold-$job" "$job"
done
is "$(field cold-looks reason)" step_failed "a job without the pool"
kill -TERM "$worker_pid"
ended

config '{ lite: 1 }'
start_worker
ok "one sandbox waits" wait_for waiting 1
for job in looks tree grows slow full; do
    wait_for waiting 1
    first=$(run_jobs)
    run "warm-$job" "$job"
    ok "after job $job another one waits" wait_for another "$first"
    is "$(field "warm-$job" reason)" "$(field "cold-$job" reason)" \
        "which ended as without the pool"
done
# The same but for names, times and the numbers of jobs.
for job in looks tree; do
    log_of "cold-$job" | sed 's/cold-/X-/g' >cold.log
    log_of "warm-$job" | sed 's/warm-/X-/g' >warm.log
    ok "it was like job $job" diff cold.log warm.log
done

# ---- never shared, never used twice ----------------------------------------------------
sleeps() {
    pgrep -x -f "sleep 3173" >/dev/null
}
no_traces() {
    [ -z "$(traces)" ]
}
wait_for waiting 1
first=$(run_jobs)
submit two waits
ok "a job that waits runs" wait_for sleeps
is "$(job_pid two)" "$first" "it has the run-job that waited"
ok "another one waits by now" wait_for pgrep -P "$worker_pid" -n -x run-job
wait_for waiting 2
second=$(run_jobs | grep -vx "$first")
submit three waits
wait_for test -s "$BERTH_STATE_DIR/leases/three$job_tag-1"
is "$(job_pid three)" "$second" "which the next job has"

# ---- the worker is killed --------------------------------------------------------------
wait_for waiting 3
kill -9 "$worker_pid"
ended 2>/dev/null
ok "with a killed worker all goes, what waited too" wait_for no_traces
redis-cli -s "$socket" flushall >/dev/null

start_worker
wait_for waiting 1
first=$(run_jobs)
kill -9 "$worker_pid" "$first"
ended 2>/dev/null
config '{}'
start_worker
ok "what a killed run-job leaves is swept by the next worker" \
    wait_for waits_no_more
kill -TERM "$worker_pid"
ended
is "$(traces)" "" "and nothing is left"

# ---- those who wait are killed ---------------------------------------------------------
config '{ lite: 1 }'
start_worker
wait_for waiting 1
first=$(run_jobs)
kill -9 "$first"
ok "a killed run-job is replaced" wait_for another "$first"
one_sandbox() {
    [ "$(find "$BERTH_STATE_DIR/sandboxes" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}
ok "and swept" wait_for one_sandbox
first=$(run_jobs)
kill -9 "$(agents)"
ok "so is one whose sandbox died" wait_for another "$first"
run after looks
is "$(field after reason)" step_failed "jobs do not notice"

# ---- it gives way ----------------------------------------------------------------------
wait_for waiting 1
config '{ lite: 1 }' 1000TiB
kill -HUP "$worker_pid"
ok "none waits when memory is short" wait_for waits_no_more
config '{ lite: 1, standard-2: 1 }'
kill -HUP "$worker_pid"
ok "then they come back, those of a new kind, too" wait_for waiting 2

# ---- for jobs with a list of hosts -----------------------------------------------------
first=$(run_jobs)
config '{ lite/hosts: 1 }'
kill -HUP "$worker_pid"
hosts_wait() { # none of those that waited before
    waiting 1 && ! run_jobs | grep -qFx "$first"
}
ok "one waits for jobs with a list" wait_for hosts_wait
first=$(run_jobs)
run strict fetches
is "$(field strict reason)" step_failed "its list and limits come with the job"
like "$(cat worker.log)" \
    "job strict$job_tag: connection to localhost:$port: address, 0 bytes sent, 0 received" \
    "the worker's log tells what was refused"
ok "another one waits" wait_for another "$first"
config '{ lite/hosts: 1 }' 1KiB 127.0.0.1
kill -HUP "$worker_pid"
reloaded() { [ "$(grep -c "was read again" worker.log)" = 4 ]; }
wait_for reloaded
submit open fetches
first=$(run_jobs)
wait_for test -s "$BERTH_STATE_DIR/leases/open$job_tag-1"
is "$(job_pid open)" "$first" "a job with a list has the run-job that waited"
touch www/go
wait_for has_ended open
is "$(field open state)" passed "and the settings of the gateway as they were read again"
like "$(log_of open)" "from outside" "it comes to a host of its list"
like "$(cat worker.log)" \
    "job open$job_tag: connection to localhost:$port \(127.0.0.1\): allowed, [1-9][0-9]* bytes sent, [1-9][0-9]* received, [0-9]+ ms" \
    "which the worker's log tells"

# What is not given to a fork is not given by one that waits either.
sed 's/"network":"none"/"network":"full"/; s/"trust":"member"/"trust":"fork"/' \
    looks.json >strange.json
config '{ lite/full: 1 }'
sed -i 's/^gateway: {/gateway: { fork_hosts: [npm],/' berth.yml
first=$(run_jobs)
kill -HUP "$worker_pid"
ok "one with all of the network waits" wait_for another "$first"
run strange strange
is "$(field strange reason)" pipeline_invalid "a fork's job does not get it"
kill -TERM "$worker_pid"
ended
is "$status" 0 "a worker that is told to end does"
is "$(traces)" "" "and nothing is left of who waited"

done_testing
