#!/bin/bash
# tests/e2e/s3.sh - a worker whose logs and artifacts go to an S3 server.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/daemons.sh
. "$tap_root/tests/lib/daemons.sh"
# shellcheck source=../lib/s3.sh
. "$tap_root/tests/lib/s3.sh"
cd "$TEST_TMP" || exit 1
if ! s3_world; then
    sed 's/^/# /' "$TEST_TMP/s3-npm" "$TEST_TMP/s3-err" 2>/dev/null
    echo "Bail out! there is no s3rver"
    exit 1
fi

export BERTH_STATE_DIR=$TEST_TMP/state BERTH_CONFIG=$TEST_TMP/berth.yml
cat >berth.yml <<Y
state_dir: $TEST_TMP/state
redis: { url: "unix://$TEST_TMP/s" }
log: { store: "$(s3_url logs)" }
artifacts: { store: "$(s3_url art)", max_bytes: 1MiB }
worker: { name: w1, capacity: 2, min_disk: 1KiB, min_memory: 1KiB }
Y
redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" --save '' \
    --daemonize no >redis.log 2>&1 &
pids+=($!)
wait_for redis-cli -s "$TEST_TMP/s" ping
start_worker() {
    "$BERTH_BIN" worker >>worker.log 2>&1 &
    worker_pid=$!
    pids+=("$worker_pid")
}
start_worker

# submit ID [COMMANDS]: a job that leaves two files; its status when it ended
submit() {
    "$BERTH_BIN" submit --wait - >submit.out 2>&1 <<Y
id: $1
pipeline:
  name: leaves
  sandbox: { instance_type: lite }
  steps:
    - run: |
        mkdir out; echo "of $1" >out/a; printf b >b
        echo "a line of $1"; ${2:-true}
    - artifacts: [out, b]
Y
}
result() {
    redis-cli -s "$TEST_TMP/s" hget "berth:{default}:job:$1" result
}
stored() {
    s3_objects logs | grep "/$1-1.log"
}

# ---- while the server is there -------------------------------------------------
submit one
is $? 0 "a job passes"
is "$(s3_objects logs)" logs/on/one-1.log "its log is in the bucket"
is "$(s3_objects art/files | tr '\n' ' ')" \
    "art/files/one/1/1/b art/files/one/1/1/out/a " "and so are its artifacts"
like "$(result one)" '"stored":"s3:on/one-1.log"' "the result says where the log is"
is "$(ls state/spool; ls state/artifacts)" "" "nothing is left on the worker's host"
redis-cli -s "$TEST_TMP/s" --scan --pattern '*:log:*' >keys
xargs redis-cli -s "$TEST_TMP/s" del <keys >none
like "$("$BERTH_BIN" logs one)" "a line of one" "berth logs reads it from there"
is "$("$BERTH_BIN" artifacts one out/a)" "of one" "berth artifacts fetches from there"
is "$(BERTH_STATE_DIR=$TEST_TMP/other BERTH_CONFIG='' \
    BERTH_ARTIFACTS_STORE="$(s3_url art)" "$BERTH_BIN" artifacts one b)" b \
    "from another host, too"

# ---- who has the keys ------------------------------------------------------------
holds() {
    local pid=$1
    tr '\0' '\n' <"/proc/$pid/environ" | grep -q '^AWS_'
}
submit_slow() {
    submit two "sleep 3175" &
    pids+=($!)
    wait_for pgrep -x -f "sleep 3175"
}
submit_slow
ok "the worker has them" holds "$worker_pid"
run_job=$(pgrep -P "$worker_pid" -x run-job | head -n 1)
not_ok "run-job has not" holds "${run_job:-0}"
is "$(cat "/proc/$worker_pid/cmdline" worker.log | tr '\0' '\n' |
    grep -c -e "$SECRET" -e "$TOKEN")" 0 "nor do arguments or the log"
"$BERTH_BIN" cancel two >none
wait_for stored two
is "$(stored two)" logs/tw/two-1.log "the log of a job that was cancelled is kept, too"

# ---- too much ---------------------------------------------------------------------
submit big "head -c 2000000 /dev/zero >out/big"
is $? 1 "more than artifacts.max_bytes fails the step"
is "$(s3_objects art/files/big)" "" "and nothing of it is kept"

# ---- while it is away ----------------------------------------------------------------
s3_stop
submit three
is $? 0 "a job passes without the server"
like "$(result three)" '"stored":null' "its result does not claim a log there"
is "$(ls state/unsent)" three-1.log "the log is set aside"
like "$("$BERTH_BIN" logs three 2>&1)" "this is what Redis has.*a line of three" \
    "berth logs shows what Redis has, and why"
like "$("$BERTH_BIN" logs three 2>&1)" "the artifacts stay on the worker's host" \
    "which says where the artifacts are"
is "$("$BERTH_BIN" artifacts three out/a 2>err)" "of three" "and they are there"
began=$(date +%s%N)
submit four
is "$?-$(cd state/unsent && echo *)" "0-four-1.log three-1.log" \
    "another job passes"
ok "and does not wait for the server" \
    test $((($(date +%s%N) - began) / 1000000)) -lt 5000
kill -9 "$worker_pid"
wait "$worker_pid" 2>>killed
start_worker
s3_start
wait_for stored three
wait_for stored four
is "$(s3_objects logs | tr '\n' ' ')" \
    "logs/bi/big-1.log logs/fo/four-1.log logs/on/one-1.log logs/th/three-1.log logs/tw/two-1.log " \
    "when it is back the logs are sent, by another worker"
none_left() {
    ! compgen -G 'state/unsent/*' >none &&
        ! compgen -G 'state/artifacts/*/unsent' >none
}
ok "and the artifacts" wait_for none_left
is "$("$BERTH_BIN" artifacts four b)" b "which can be had from there"
submit five
like "$?-$(result five)" '^0-.*"stored":"s3:fi/five-1.log"' "and all is as before"

# ---- the end ---------------------------------------------------------------------
kill -TERM "$worker_pid"
wait "$worker_pid"
is $? 0 "the worker ends well"
is "$(grep -c -i "sanitizer" worker.log)" 0 "and had nothing to complain of"
done_testing
