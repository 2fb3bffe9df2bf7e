#!/bin/bash
# tests/e2e/secrets.sh - secrets of steps, in real sandboxes.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"
# shellcheck source=../lib/daemons.sh
. "$tap_root/tests/lib/daemons.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_CONFIG

# Values that are nowhere else; the words are what scans look for.
token=t0ken-$$-ZebraCrossing
field=f1eld-$$-QuillFeather
first=k3y-$$-MarbleStaircase
second=k3y-$$-LanternSmoke
others=0ther-$$-PepperMill
printf '%s\n' ZebraCrossing QuillFeather MarbleStaircase LanternSmoke \
    PepperMill >words
mkdir -p "$repo" other
echo one >"$repo/file.txt"
make_repo "$repo"
echo two >other/file.txt
make_repo other
printf '%s\n' "$first" "$second" >key
printf '%s' "$field" >field

# ---- two hosts that tell what they were asked -------------------------------
cat >origin.py <<'P'
import http.server, sys, time
ports = []

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        port = self.server.server_address[1]
        with open("requests", "a") as log:
            log.write("%d %s %s auth=%s key=%s\n" % (
                port, self.command, self.path, self.headers.get("Authorization"),
                self.headers.get("X-Key")))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://localhost:%d/elsewhere" % ports[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/slow":
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"more\n")
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                return
        body = b"an answer\n"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_TRACE = do_HEAD = do_FOO = answer

    def log_message(self, *args):
        pass

import threading
servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin) for _ in "ab"]
ports += [s.server_address[1] for s in servers]
for s in servers:
    threading.Thread(target=s.serve_forever).start()
open("ports.new", "w").write("%d %d\n" % tuple(ports))
import os
os.rename("ports.new", "ports")
P
: >requests
python3 origin.py &
pids+=($!)
wait_for test -s ports
read -r port_a port_b <ports

# run_job [OPTION…]: the steps on stdin
run_job() {
    {
        echo "sandbox:"
        echo "  instance_type: lite"
        echo "  network: ['localhost:$port_a', 'localhost:$port_b']"
        cat
    } >pipeline.yml
    job "$@" --set gateway.allow_addresses=127.0.0.1 pipeline.yml
    said=$(cat job.err)
    remember_job
}

# ---- a variable, a file -----------------------------------------------------
export TOKEN=$token
run_job --secret TOKEN --secret KEY=key <<'Y'
steps:
  - name: has them
    secrets:
      - TOKEN
      - { name: TOKEN, env: ALSO }
      - { name: KEY, file: id_key }
      - { name: NONE, env: NONE, optional: true }
    run: |
      set +e
      echo "length ${#TOKEN} same $([ "$TOKEN" = "$ALSO" ] && echo yes)"
      echo "none ${NONE-unset}"
      echo "plain $TOKEN"
      printf 'base64 %s\n' "$(printf %s "$TOKEN" | base64)"
      stat -c 'file %a %U' /run/berth/secrets/id_key
      echo "lines $(wc -l </run/berth/secrets/id_key)"
      cat /run/berth/secrets/id_key
      df --output=fstype /run/berth/secrets | sed s/^/on/
      rm /run/berth/secrets/id_key; echo "removed $?"
      echo x >/run/berth/secrets/mine; echo "written $?"
      (exec sleep 300) &
  - name: has none
    run: |
      set +e
      echo "variable ${TOKEN-unset} ${ALSO-unset}"
      echo "files $(ls -A /run/berth/secrets | wc -l)"
      echo "found $(grep -rls -e 'Zebra[C]rossing' -e 'Marble[S]taircase' \
          /proc/[0-9]*/environ /proc/[0-9]*/cmdline /run /tmp /var/tmp /workspace "$HOME" | wc -l)"
      cat /proc/1/environ >/dev/null; echo "agent $?"
  - name: fails
    secrets: [{ name: TOKEN, env: TOKEN }]
    retry: 1
    run: exit 4
Y
is "$job_status" 1 "a run with secrets: its last step failed"
like "$said" "length ${#token} same yes" "a variable has the value, also by another name"
like "$said" "none unset" "one that is optional may be missing"
like "$said" "plain \*\*\*" "the value is masked in the log"
like "$said" "base64 \*\*\*" "so is its base64"
like "$said" "file 400 berth" "a file is the user's alone, and not to be written"
like "$said" "lines 2" "it has all lines of the value"
like "$said" "ontmpfs" "it is in memory"
like "$said" "removed 1.*written [12]" "the directory belongs to nobody inside"
like "$said" "variable unset unset" "another step has no variable"
like "$said" "files 0" "and no file"
like "$said" "found 0" "nor is a value anywhere else inside"
like "$said" "agent 1" "the agent cannot be looked into"
is "$(grep -c -e "$token" -e "$first" -e "$second" job.err result.json)" \
    "$(printf 'job.err:0\nresult.json:0')" \
    "no line of a value is in log or result"
is "$(result '.steps[2].attempts')" 2 "a step with secrets is tried again"
is_valid_result "the result obeys its schema"
is "$(traces)" "" "nothing is left behind"
is "$(find "$BERTH_STATE_DIR/secrets" -type f | wc -l)" 0 "no file is on the disk"

# ---- what is not there ------------------------------------------------------
run_job <<'Y'
steps:
  - name: skipped
    if: failure()
    secrets: [UNUSED]
    run: "true"
  - name: wants
    secrets: [ABSENT]
    run: echo it ran
Y
is "$job_status" 1 "a missing secret fails the step that names it"
like "$(result '.steps[1].message')" \
    "not given the secret 'ABSENT': say --secret ABSENT=FILE" "with what to do"
is "$(result '.steps[0].outcome')" skipped "but not one that does not run"
is "$(grep -c 'it ran' job.err)" 0 "it did not run"
wrong() { # wrong OPTION WANTED NAME
    local status=0
    "$BERTH_BIN" run --repo "$repo" --secret "$1" pipeline.yml \
        >wrong.out 2>&1 || status=$?
    like "$status $(cat wrong.out)" "^2 .*$2" "$3"
}
EMPTY='' wrong EMPTY "it is empty" "an empty secret is wrong usage"
wrong token "capital letters" "so is a name that is none"
wrong A=/nonexistent "secret A.*nonexistent" "and a file that is not there"
wrong UNKNOWN "no such variable.*UNKNOWN=FILE" "and a variable"

# ---- injected ---------------------------------------------------------------
ask="curl -sS --max-time 30 --noproxy ''"
run_job --secret FIELD=field --secret TOKEN <<Y
steps:
  - name: asks
    secrets:
      - { name: FIELD, inject: { host: "localhost:$port_a", prefix: "Bearer ", tls: false } }
    run: |
      set +e
      echo "field \${FIELD-unset}"
      $ask http://localhost:$port_a/plain
      $ask -H 'authorization: mine' http://localhost:$port_a/mine
      $ask -X POST -d x http://localhost:$port_a/post
      $ask http://localhost:$port_b/other
      $ask -L http://localhost:$port_a/moved
      echo "trace \$($ask -o /dev/null -w '%{http_code}' -X TRACE http://localhost:$port_a/trace)"
      echo "lower \$($ask -o /dev/null -w '%{http_code}' -X trace http://localhost:$port_a/trace)"
      echo "foo \$($ask -o /dev/null -w '%{http_code}' -X FOO http://localhost:$port_a/trace)"
      echo "found \$(grep -rls -e 'Quill[F]eather' /proc/[0-9]*/environ /run /tmp | wc -l)"
  - name: asks without
    run: |
      $ask http://localhost:$port_a/after
      echo "trace now \$($ask -o /dev/null -w '%{http_code}' -X TRACE http://localhost:$port_a/traced)"
  - name: another field
    secrets:
      - { name: TOKEN, inject: { host: "localhost:$port_a", header: X-Key, tls: false } }
    run: $ask http://localhost:$port_a/key
Y
is "$job_status" 0 "a field is injected"
is "$(grep /plain requests)" "$port_a GET /plain auth=Bearer $field key=None" \
    "the host gets it, with its prefix"
is "$(grep /mine requests)" "$port_a GET /mine auth=Bearer $field key=None" \
    "in place of the step's own"
like "$(grep /post requests)" "POST /post auth=Bearer $field" "with any usual method"
is "$(grep /other requests)" "$port_b GET /other auth=None key=None" \
    "another host does not"
is "$(grep /elsewhere requests)" "$port_b GET /elsewhere auth=None key=None" \
    "nor does one that a redirect leads to"
like "$said" "field unset" "the step does not have the value"
like "$said" "found 0" "nor is it anywhere inside"
like "$said" "trace 405.*lower 405.*foo 405" "TRACE and its like are refused"
is "$(grep -c '/trace ' requests)" 0 "and reach nobody"
is "$(grep /after requests)" "$port_a GET /after auth=None key=None" \
    "the next step's requests have none"
like "$said" "trace now 200" "and may be TRACE"
is "$(grep /key requests)" "$port_a GET /key auth=None key=$token" \
    "a later step has its own"
is "$(grep -c -e "$token" -e "$field" job.err result.json)" \
    "$(printf 'job.err:0\nresult.json:0')" "no value is in log or result"

# ---- beside a step in the background ----------------------------------------
: >requests
run_job --secret FIELD=field --secret KEY=key --secret TOKEN <<Y
steps:
  - name: server
    background: true
    wait_for: { log: serving }
    secrets:
      - TOKEN
      - { name: KEY, file: key }
    run: |
      cat /run/berth/secrets/key >/dev/null && echo serving
      while [ ! -e /workspace/asked ]; do sleep 0.1; done
      { $ask -N --max-time 100 http://localhost:$port_a/slow
        echo "curl \$?" >/workspace/code
      } | while read -r _; do touch /workspace/got; done
      echo "the answer ended, \$(cat /workspace/code)"; touch /workspace/ended
      ls /run/berth/secrets
      sleep 300
  - name: beside
    secrets: [{ name: FIELD, inject: { host: "localhost:$port_a", tls: false } }]
    run: |
      touch /workspace/asked
      for _ in \$(seq 300); do [ -e /workspace/got ] && break; sleep 0.1; done
      ls /run/berth/secrets
  - name: after
    run: |
      for _ in \$(seq 300); do [ -e /workspace/ended ] && break; sleep 0.1; done
      [ -e /workspace/ended ] && $ask http://localhost:$port_a/after
      echo "still \$(ls /run/berth/secrets)"
Y
is "$job_status" 0 "steps with secrets beside one in the background"
like "$(grep /slow requests)" "auth=$field" \
    "what runs beside a step has its fields, too"
like "$said" "the answer ended, curl (0|18|56)" "but no answer any more when that has ended"
like "$(grep /after requests)" "auth=None" "and no field"
like "$said" "still key" "a file stays as long as the step in the background"

# ---- a worker's store -------------------------------------------------------
unset TOKEN
redis() {
    redis-cli -s "$TEST_TMP/s" "$@"
}
redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" \
    --save '' --appendonly yes >redis.log 2>&1 &
redis_pid=$!
pids+=("$redis_pid")
wait_for redis ping
name=$TEST_TMP/repo
mkdir -p "store/file+$name" "store/file+$TEST_TMP/other" cred
put() { # put PATH VALUE
    printf '%s\n' "$2" >"$1"
    chmod 600 "$1"
}
put "store/file+$name/TOKEN" "$token"
put "store/file+$TEST_TMP/other/OTHERS" "$others"
put "store/file+$name/LOOSE" "$others"
chmod 644 "store/file+$name/LOOSE"
ln -s TOKEN "store/file+$name/LINK"
put store/SHARED "$field"
put cred/FROM_SYSTEMD "$first"
cat >berth.yml <<Y
redis: { url: "unix://$TEST_TMP/s" }
worker: { name: w1, capacity: 2, min_disk: 1KiB, min_memory: 1KiB, warm_pool: { lite: 1 } }
gateway: { allow_addresses: [127.0.0.1] }
secrets:
  dir: $TEST_TMP/store
  allow: ["file+$name"]
  env_prefix: TEST_SECRET_
Y
TEST_SECRET_FROM_ENV=$second CREDENTIALS_DIRECTORY=$TEST_TMP/cred \
    "$BERTH_BIN" worker --config berth.yml >worker.log 2>&1 &
worker_pid=$!
pids+=("$worker_pid")

# submit ID REPO [KEY: VALUE…]: a pipeline on stdin
submit() {
    local id=$1 in=$2
    shift 2
    {
        echo "id: $id$job_tag"
        echo "repo: $in"
        printf '%s\n' "$@"
        echo "pipeline:"
        sed 's/^/  /'
    } >"$id.yml"
    echo "$id$job_tag" >>job-ids
    "$BERTH_BIN" submit --config berth.yml "$id.yml" >"$id.out" 2>&1
}
field() { # field ID NAME
    redis hget "berth:{default}:job:$1$job_tag" "$2"
}
ended() {
    [[ $(field "$1" state) =~ ^(passed|failed|cancelled)$ ]]
}
done_with() { # done_with ID: its end, and all of its log
    wait_for ended "$1"
    said=$("$BERTH_BIN" logs --config berth.yml "$1$job_tag" 2>&1)
}
waits() {
    pgrep -P "$worker_pid" -x run-job >/dev/null &&
        "$BERTH_BIN" queue --config berth.yml >/dev/null
}
wait_for waits

submit all "$name" <<'Y'
sandbox: { instance_type: lite }
steps:
  - name: has them
    secrets:
      - TOKEN
      - SHARED
      - FROM_SYSTEMD
      - FROM_ENV
      - { name: TOKEN, file: token }
    run: |
      echo "lengths ${#TOKEN} ${#SHARED} ${#FROM_SYSTEMD} ${#FROM_ENV}"
      echo "file $(stat -c %s /run/berth/secrets/token)"
      echo "values $TOKEN $SHARED $FROM_SYSTEMD $FROM_ENV"
      touch /workspace/here
      for _ in $(seq 600); do [ -e /workspace/go ] && break; sleep 0.1; done
  - name: has none
    run: |
      echo "left $(env | grep -c -e TOKEN -e SHARED -e FROM_) $(ls -A /run/berth/secrets | wc -l)"
Y
# below RUN-JOB'S MOUNTS: files of that name
below() {
    local pid
    for pid in $(pgrep -P "$worker_pid" -x run-job); do
        find "/proc/$pid/root$BERTH_STATE_DIR/$1" -type f -name "$2" 2>/dev/null
    done
}
runs() {
    here=$(below sandboxes here | head -n 1)
    [ "$here" ] && [ "$(below secrets token)" ]
}
ok "the file is on a file system of run-job's, while the step runs" \
    wait_for runs
is "$(find "$BERTH_STATE_DIR/secrets" -type f)" "" "which nobody else sees"
# Whose environment and arguments have a value; the step's own do, inside.
scan() {
    local pid
    for pid in "$worker_pid" $(pgrep -P "$worker_pid") \
        $(pgrep -f "libexec/berth/") "$redis_pid"; do
        grep -alsf words "/proc/$pid/environ" "/proc/$pid/cmdline"
    done
    return 0
}
is "$(scan)" "" "no process of ours has a value in its environment or arguments"
for pid in $(pgrep -P "$worker_pid" -x run-job); do
    [ -z "$(find "/proc/$pid/root$BERTH_STATE_DIR/secrets" -type f)" ] ||
        core=$(grep "core file" "/proc/$pid/limits")
done
like "$core" "size +0 +0" "nor can a core of run-job have one"
touch "${here%here}go"
done_with all
is "$(field all state)" passed "a job of the repository has all of them"
like "$said" "lengths ${#token} ${#field} ${#first} ${#second}" \
    "its own, shared ones, systemd's, the environment's"
like "$said" "file $((${#token} + 1))" "a file has what there is, to the last byte"
like "$said" "values \*\*\* \*\*\* \*\*\* \*\*\*" "all are masked"
like "$said" "left 0 0" "the next step has none, in a sandbox of the warm pool"

submit theirs "$TEST_TMP/other" <<'Y'
sandbox: { instance_type: lite }
steps:
  - secrets: [{ name: TOKEN, optional: true }, { name: SHARED, optional: true }, { name: FROM_ENV, optional: true }, OTHERS]
    run: echo "have ${TOKEN-no} ${SHARED-no} ${FROM_ENV-no} ${#OTHERS}"
  - name: wants
    secrets: [SHARED]
    run: "true"
Y
done_with theirs
like "$said" "have no no no ${#others}" "another repository has its own alone"
like "$(field theirs result)" "no secret 'SHARED' for the repository; looked in $TEST_TMP/store/file\+$TEST_TMP/other/" \
    "and is told where it was looked for"
like "$(field theirs result)" "secrets.allow" "and what would allow it"

submit climbs "file://$TEST_TMP/other/../repo" <<<'{ sandbox: { instance_type: lite }, steps: [{ secrets: [TOKEN], run: echo it ran }] }'
if [ -z "$(field climbs state)" ]; then
    like "$(cat climbs.out)" "repo" "a repository's address with .. is refused"
else
    done_with climbs
    like "$(field climbs result)" "no place in a store" \
        "a repository's address with .. has no secrets"
fi

for why in "LOOSE:may be read or written by others: chmod 600" "LINK:symbolic link"; do
    id=bad-$(tr '[:upper:]' '[:lower:]' <<<"${why%%:*}")
    submit "$id" "$name" <<<"{ sandbox: { instance_type: lite }, steps: [{ secrets: [${why%%:*}], run: echo it ran }] }"
    done_with "$id"
    like "$(field "$id" result)" "${why#*:}" "${why%%:*} is not taken"
done

submit fork "$name" "trust: fork" "base: main" <<'Y'
sandbox: { instance_type: lite }
steps:
  - name: members
    if: ${{ trust == 'member' }}
    secrets: [TOKEN]
    run: "true"
  - secrets: [{ name: TOKEN, optional: true }, { name: SHARED, file: shared, optional: true }]
    run: echo "have ${TOKEN-no} $(ls -A /run/berth/secrets | wc -l)"
  - name: refused
    secrets: [TOKEN]
    run: echo it ran
Y
done_with fork
is "$(field fork state)" failed "a fork's job with a secret fails"
like "$said" "have no 0" "it has none where they are optional"
like "$(field fork result)" "'TOKEN' is not given to jobs of forks" "and hears why"
is "$(grep -c 'it ran' <<<"$said")" 0 "the step did not run"

# ---- where they must not be -------------------------------------------------
is "$(grep -ralf words store key | wc -l)" 5 "a scan finds them where they are"
redis config set rdbcompression no >/dev/null
redis save >/dev/null
is "$(grep -ralf words appendonlydir dump.rdb)" "" \
    "no value is in Redis"
is "$(grep -ralf words "$BERTH_STATE_DIR" worker.log ./*.out)" "" \
    "nor in the state directory, nor in the worker's log"
logs=$(find "$BERTH_STATE_DIR/logs" -name '*.log' | wc -l)
ok "whole logs are in the store, $logs of them" test "$logs" -gt 0
kill -TERM "$worker_pid"
wait "$worker_pid" 2>/dev/null
is "$(traces)" "" "nothing is left behind"
done_testing
