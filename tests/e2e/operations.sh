#!/bin/bash
# tests/e2e/operations.sh - steps on files and ports, artifacts, and steps in
# the background: what they do, how they end, what hostile files make of them.
# SPDX-License-Identifier: Apache-2.0
# timeout 400
# long 40
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

# outcomes: those of all steps
outcomes() {
    node -e 'console.log(JSON.parse(require("fs").readFileSync(process.argv[1]))
        .steps.map(s => s.outcome).join(" "))' "$TEST_TMP/result.json"
}

# ---- files -----------------------------------------------------------------
case_of files <<'Y'
sandbox: { instance_type: standard-2 }
env: { WHO: "a b" }
steps:
  - write_file: { path: "deep/${{ env.WHO }}/f", content: "x ${{ env.WHO }}\n", mode: "0600" }
  - run: [test "$(cat 'deep/a b/f')" = "x a b", test "$(stat -c %a%u 'deep/a b/f')" = 6001000]
  - read_file: "deep/${{ env.WHO }}/f"
  - run: head -c 1048577 /dev/zero >big
  - { name: too big, read_file: big, continue-on-error: true }
  - { name: missing, read_file: nowhere, continue-on-error: true }
  - run: [ln -s /etc/passwd link, ln -s /etc dir, ln -s ../../../../etc up]
  - { name: link, read_file: link, continue-on-error: true }
  - { name: over a link, write_file: { path: link, content: mine } }
  - run: test ! -L link -a "$(cat link)" = mine
  - { name: through a link, write_file: { path: dir/passwd, content: x }, continue-on-error: true }
  - { name: up, read_file: up/passwd, continue-on-error: true }
Y
is "$job_status" 0 "files: exit 0"
is "$(outcomes)" "passed passed passed passed failed failed passed failed passed passed failed failed" \
    "files: how each step ended"
ok "files: a file is printed" grep -q '│ x a b' "$TEST_TMP/job.err"
like "$(result .steps[4].message)" 'larger than 1048576 bytes' "files: one that is too large"
like "$(result .steps[5].message)" "'/workspace/nowhere'" "files: one that is missing"
like "$(result .steps[7].message)" 'leads out' "files: a link that leads out"
is "$(result .steps[2].kind)" read_file "files: the kind of a step"

# ---- artifacts -------------------------------------------------------------
case_of artifacts <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - run: |
      mkdir -p dist/.hidden reports/a .git
      echo one >dist/one; echo two >dist/.hidden/two; echo three >reports/a/r.xml
      echo no >.git/x.xml; ln -s /etc/passwd dist/link; ln -s /etc dist/etc
      ln dist/one dist/again; mkfifo dist/pipe; printf x >"dist/$(printf 'esc\033[31m')"
      chmod 0 dist/one
  - { name: unreadable, artifacts: dist, continue-on-error: true }
  - run: chmod 4755 dist/one
  - name: kept
    artifacts: { paths: [dist, "**/*.xml"], retention: 1h }
  - { name: nothing, artifacts: [nix, "*.nix"], continue-on-error: true }
Y
is "$job_status" 0 "artifacts: exit 0"
is "$(outcomes)" "passed failed passed passed failed" "artifacts: outcomes"
is "$(result .artifacts.count) $(result .artifacts.bytes)" "5 19" "artifacts: how many, and how large"
like "$(result .steps[4].message)" "no file fits 'nix' or the others" "artifacts: none"
id=$(result .job.id)
"$BERTH_BIN" artifacts --json "$id" >"$TEST_TMP/list"
is "$(node -e 'console.log(JSON.parse(require("fs").readFileSync(process.argv[1])).map(f => f.path).join(" "))' "$TEST_TMP/list")" \
    "dist/.hidden/two dist/again dist/esc"$'\033'"[31m dist/one reports/a/r.xml" "artifacts: the list"
not_ok "artifacts: what steers a terminal is not printed" \
    sh -c '"$1" artifacts "$2" | grep -q "$(printf "\033")"' sh "$BERTH_BIN" "$id"
is "$("$BERTH_BIN" artifacts "$id" reports/a/r.xml)" three "artifacts: one is printed"
not_ok "artifacts: none outside" "$BERTH_BIN" artifacts "$id" ../expires
ok "artifacts: all are copied" "$BERTH_BIN" artifacts --output "$TEST_TMP/out" "$id"
is "$(cat "$TEST_TMP/out/dist/one")$(cd "$TEST_TMP/out" && find . -type l)" one \
    "artifacts: files alone are kept"
is "$(find "$BERTH_STATE_DIR/artifacts" -perm /4000)" "" "artifacts: no setuid"

# ---- background ------------------------------------------------------------
cat >"$TEST_TMP/server.js" <<'J'
const late = Number(process.argv[2]);
let asked = 0;
setTimeout(() => require('http').createServer((q, s) => {
  console.log(q.method, q.url);
  s.statusCode = q.url === '/health' && ++asked < 3 ? 503 : 200;
  s.end('hello');
}).listen(3000, 'localhost', () => console.log('listening')), late);
process.on('SIGTERM', () => { console.log('bye'); process.exit(7); });
J
{
    cat <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - write_file:
      path: server.js
      content: |
Y
    sed 's/^/        /' "$TEST_TMP/server.js"
    cat <<'Y'
  - { name: server, run: "exec node server.js 300", background: true,
      wait_for: { http: "http://localhost:3000/health", timeout: 30s } }
  - { name: leaves one, run: "setsid sleep 77 >/dev/null 2>&1 & echo left" }
  - run: |
      for i in $(seq 300); do pgrep -f 'sleep 77' || break; sleep 0.1; done # it is killed, and ends
      ! pgrep -f 'sleep 77'
      node -e 'require("http").get("http://localhost:3000/", r => r.on("data", d => console.log("got " + d)))'
Y
} >"$TEST_TMP/background.yml"
case_of background <"$TEST_TMP/background.yml"
is "$job_status" 0 "background: exit 0"
ok "background: waited for a good answer" \
    sh -c 'test "$(grep -c "GET /health" "$1")" -ge 3' sh "$TEST_TMP/job.err"
ok "background: later steps reach it" grep -q 'got hello' "$TEST_TMP/job.err"
ok "background: it can tidy up" grep -q 'server: bye' "$TEST_TMP/job.err"
is "$(result .steps[1].outcome)" passed "background: its end at the end is none of its faults"

case_of 'background, port and text' <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: a, background: true, wait_for: { port: 4000 },
      run: "sleep 0.5; exec python3 -m http.server --bind 127.0.0.1 4000" }
  - { name: b, background: true, wait_for: { log: "up and running" },
      run: "printf 'up and '; sleep 0.3; echo running; sleep 60" }
  - run: python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:4000/")'
Y
is "$job_status" 0 "background, port and text: exit 0"

case_of 'background, dies at once' <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: server, background: true, wait_for: { port: 1 }, run: "echo why; exit 5", retry: 1 }
  - run: echo never
Y
is "$job_status $(outcomes)" "1 failed skipped" "background, dies at once: fails"
is "$(result .steps[0].message) $(result .steps[0].attempts)" \
    "ended before it was ready: exit code 5 2" "background, dies at once: why"

case_of 'background, never ready' <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: server, background: true, wait_for: { port: 9, timeout: 1s }, run: "trap '' TERM; sleep 60" }
Y
is "$job_status $(result .reason)" "1 timed_out" "background, never ready: fails"
like "$(result .message)" 'within 1s nothing listened on port 9' "background, never ready: why"

case_of 'background, dies early' <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: server, background: true, run: "echo $$ >pid; sleep 0.5; echo dying; exit 3" }
  - { name: work, run: "until [ -s pid ]; do sleep 0.1; done; while kill -0 $(cat pid); do sleep 0.1; done; sleep 1" }
  - run: echo never
  - { name: cleanup, run: echo cleanup, if: always() }
Y
is "$job_status $(outcomes)" "1 failed passed skipped passed" "background, dies early: outcomes"
like "$(result .message)" "'server': ended while it was needed: exit code 3" "background, dies early: why"
ok "background, dies early: its output has its name" grep -q 'server: dying' "$TEST_TMP/job.err"

case_of 'background, a time-out beside it' <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { name: server, background: true, wait_for: { log: up }, run: "echo up; trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done" }
  - { name: slow, timeout: 1s, run: "setsid sleep 88 & sleep 88", continue-on-error: true }
  - run: [pgrep -f 'while :', "for i in $(seq 300); do pgrep -fx 'sleep 88' || break; sleep 0.1; done; ! pgrep -fx 'sleep 88'"]
Y
is "$job_status $(outcomes)" "0 passed failed passed" "background, a time-out beside it: it lives on"

# ---- a port ----------------------------------------------------------------
cat >"$pipeline" <<'Y'
sandbox: { instance_type: standard-2 }
steps:
  - { background: true, wait_for: { port: 8000 }, run: "echo inside >f; exec python3 -m http.server --bind 127.0.0.1 8000" }
  - expose_port: 8000
  - run: for i in $(seq 900); do test -e /workspace/done && exit; sleep 0.1; done; exit 1
Y
"$BERTH_BIN" run --json --repo "$repo" "$pipeline" >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err" &
pid=$!
wait_for grep -q 'http://[0-9a-f]*\.localhost:[0-9]*/' "$TEST_TMP/job.err"
url=$(grep -o 'http://[0-9a-f]*\.localhost:[0-9]*/' "$TEST_TMP/job.err")
is "$(curl -sS --noproxy '*' "${url}f")" inside "port: reached by its address"
port=${url##*:}
is "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "http://localhost:${port}f")" 403 \
    "port: not without the token"
kill -INT "$pid"
wait "$pid"
is "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "${url}f")" 000 "port: closed with the job"
remember_job
is "$(traces)" "" "port: nothing is left behind"

done_testing
