#!/bin/bash
# tests/e2e/run.sh - `berth run` with everything real: what it takes, what it
# shows, and how it ends.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"
unset NO_COLOR BERTH_REDIS
export LC_ALL=C.UTF-8
cd "$TEST_TMP" || exit 1

mkdir -p "$repo/sub"
echo one >"$repo/file.txt"
make_repo "$repo"
git -C "$repo" tag v1
echo two >"$repo/file.txt"
git -C "$repo" commit -qam second
head=$(git -C "$repo" rev-parse HEAD)
tagged=$(git -C "$repo" rev-parse v1)

pipeline() {
    { echo "sandbox: { instance_type: lite }"; cat; } >"$TEST_TMP/$1.yml"
}
pipeline show <<'Y'
name: show
steps:
  - checkout:
  - name: shows
    env: { WHO: "${{ inputs.who }}" }
    run: cat file.txt; echo "who=$WHO token=$TOKEN"
Y
pipeline fails <<'Y'
name: fails
steps:
  - name: noisy
    run: |
      seq 1 100
      echo oops >&2
      exit 3
Y
pipeline waits <<'Y'
name: waits
steps:
  - name: naps
    run: |
      echo waiting; sleep 300
Y
pipeline stubborn <<'Y'
name: stubborn
steps:
  - name: ignores
    run: |
      trap '' TERM; echo waiting; while :; do sleep 1; done
Y

# run ARGUMENT…: sets status; what it printed is in $out and $err
run() {
    status=0
    "$BERTH_BIN" run "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" || status=$?
    out=$(cat "$TEST_TMP/out")
    err=$(cat "$TEST_TMP/err")
}

# --- what is shown ---------------------------------------------------------
run show.yml --repo "$repo" --input who=me
is "$status" 0 "passes: exit 0"
like "$out" "^berth: show over repo at ${head:0:7} \(main\)
▶ checkout" "plain: a heading, then lines"
like "$out" "
▶ shows
  │ two
  │ who=me token=
✓ shows  [0-9.]+ m?s
" "plain: output behind a gutter"
like "$out" "
step      outcome         duration
checkout  ✓ passed +[0-9.]+ m?s
shows     ✓ passed +[0-9.]+ m?s
passed in [0-9.]+ m?s · peak memory [0-9.]+ [KM]iB · cpu [0-9]+ ms$" "plain: the table"
is "$err" "" "plain: nothing on stderr"
not_ok "plain: no escape sequences" grep -q "$(printf '\033')" "$TEST_TMP/out"

LC_ALL=C run show.yml --repo "$repo" -q --input who=me
not_ok "an ASCII locale: ASCII only" grep -qP '[^\x00-\x7f]' "$TEST_TMP/out"
like "$out" "^step      outcome" "-q: the table and nothing else"
run show.yml --repo "$repo/sub" -v --input who=me
like "$out" "duration +cpu +memory" "-v: cpu and memory of each step"

# --- what it takes of the configuration --------------------------------------
echo "state_dir: $TEST_TMP/configured" >"$TEST_TMP/state.conf"
(unset BERTH_STATE_DIR; run show.yml --repo "$repo" \
    --config "$TEST_TMP/state.conf"; exit "$status")
is $? 0 "the state is kept where the configuration has it"
is "$(test -d "$TEST_TMP/configured/mirrors" && echo yes)" yes "that is where the mirrors are"
cat >"$TEST_TMP/docker.conf" <<Y
worker:
  driver: docker
  docker_socket: $TEST_TMP/no-engine.sock
  docker_image: some/image
Y
run show.yml --repo "$repo" --config "$TEST_TMP/docker.conf"
is "$status" 3 "it goes by worker.driver of the configuration"
like "$out$err" "$TEST_TMP/no-engine.sock" "and by worker.docker_socket"
BERTH_CONFIG=$TEST_TMP/docker.conf run show.yml --repo "$repo" --driver oci
is "$status" 0 "--driver has the last word"
run show.yml --repo "$repo" --config "$TEST_TMP/docker.conf" \
    --set worker.driver=oci
is "$status" 0 "--set is of the configuration, too"
BERTH_WORKER_DRIVER=docker BERTH_WORKER_DOCKER_SOCKET=$TEST_TMP/none.sock \
    run show.yml --repo "$repo"
like "$out$err" "$TEST_TMP/none.sock" "so is the environment"
run show.yml --repo "$repo" --driver lxc
is "$status" 2 "a driver that there is not is wrong usage"

run fails.yml --repo "$repo" -q
is "$status" 1 "fails: exit 1"
like "$out" "
✗ noisy: exit code 3
  │ 1
  │ 2
" "fails: its first lines, even with -q"
like "$out" "
  │ 20
  │ \[61 lines left out\]
  │ 82
" "fails: a gap"
like "$out" "
  │ 100
  │ oops
" "fails: its last lines"
like "$out" "
why:  .*noisy.*exit code 3
next: " "fails: why, and what to do"

# --- what is taken ---------------------------------------------------------
echo three >"$repo/file.txt"
echo new >"$repo/new.txt"
run show.yml --repo "$repo"
like "$err" "^note: 2 uncommitted files are not in the run: it takes HEAD ${head:0:7}$" \
    "a dirty tree is said"
like "$out" "│ two
" "a dirty tree: HEAD is taken"
git -C "$repo" checkout -q file.txt
rm "$repo/new.txt"
run show.yml --repo "$repo" --ref v1
like "$out" "at ${tagged:0:7} \(refs/tags/v1\)" "--ref: a tag"
like "$out" "│ one
" "--ref: its files"
run show.yml --repo "$repo" --commit "${tagged:0:10}" --json
is "$status" 0 "--commit, shortened: passes"
cp "$TEST_TMP/out" "$TEST_TMP/result.json"
is "$(result .job.commit)" "$tagged" "--commit: that one"
is_valid_result "--json: stdout is a valid result and nothing else"
like "$err" "▶ checkout" "--json: the display is on stderr"
run - --repo "$repo" <"$TEST_TMP/show.yml"
is "$status" 0 "-: the pipeline on standard input"
(cd "$repo/sub" && "$BERTH_BIN" run ../../show.yml >"$TEST_TMP/out" 2>&1)
is $? 0 "no --repo: the repository of the directory"
printf '# secrets\nexport TOKEN="a b"\n' >env.txt
run show.yml --repo "file://$repo" --ref main --env-file env.txt -i who=you
like "$out" "│ who=you token=a b
" "--env-file and --input reach the step; --repo file://"

# --- a password ------------------------------------------------------------
run show.yml --repo https://me:hunter22@127.0.0.1:1/acme/app.git --json -v
is "$status" 3 "a host that is not there: exit 3"
cp "$TEST_TMP/out" "$TEST_TMP/result.json"
is "$(result .reason)" checkout_failed "a host that is not there: reason"
not_ok "a password is nowhere in the output" grep -q hunter22 "$TEST_TMP/out" "$TEST_TMP/err"
not_ok "a password is nowhere in the state" grep -rq hunter22 "$BERTH_STATE_DIR"
run show.yml --repo ssh://git:hunter22@127.0.0.1:1/acme/app.git
is "$status" 2 "a password for ssh: exit 2"
like "$err" "a password has a place in http\\(s\\) addresses only" "a password for ssh: says why"

# --- what is secret is not stored --------------------------------------------
pipeline secret <<'Y'
name: secret
steps:
  - name: turns
    run: printf %s "$TOKEN" | rev
Y
pipeline leaks <<'Y'
name: leaks
steps:
  - run: echo "it is $TOKEN"; printf %s "$TOKEN" | base64; exit 1
Y
printf 'TOKEN=sesame77\n' >secret.env
run secret.yml --repo "$repo" --env-file secret.env
like "$out" "│ 77emases
" "--env-file: the step has the value"
run leaks.yml --repo "$repo" --env-file secret.env
like "$out" "│ it is \*\*\*
.*it is \*\*\*
" "--env-file: what is shown of it is masked, in the report as well"
not_ok "--env-file: in every form" grep -q -e sesame77 -e c2VzYW1lNzc \
    "$TEST_TMP/out" "$TEST_TMP/err"
# It is compressed: what is masked in it, tests/unit/worker/supervisor tells.
ok "the state has the log" grep -rq ':log:run-' "$BERTH_STATE_DIR"
not_ok "the state has no value of --env-file" grep -rq sesame77 "$BERTH_STATE_DIR"

# --- a Redis of our own ------------------------------------------------------
redis-server --port 0 --unixsocket "$TEST_TMP/own.sock" --save '' \
    --dir "$TEST_TMP" >/dev/null &
redis=$!
wait_for redis-cli -s "$TEST_TMP/own.sock" ping
BERTH_REDIS=unix://$TEST_TMP/own.sock run show.yml --repo "$repo" --json
is "$status" 0 "BERTH_REDIS: passes"
cp "$TEST_TMP/out" "$TEST_TMP/result.json"
key=$(redis-cli -s "$TEST_TMP/own.sock" --scan --pattern "*job:$(result .job.id)")
like "$key" "^berth:\{local-[0-9a-f]+\}:job:run-[0-9a-f]+$" "BERTH_REDIS: the job is there"
is "$(redis-cli -s "$TEST_TMP/own.sock" hget "$key" state)" passed \
    "BERTH_REDIS: completed"
ok "BERTH_REDIS: it expires" test \
    "$(redis-cli -s "$TEST_TMP/own.sock" ttl "$key")" -gt 3600
run secret.yml --repo "$repo" --env-file secret.env \
    --redis "unix://$TEST_TMP/own.sock"
is "$status" 0 "--redis: passes"
run show.yml --repo https://me:hunter22@127.0.0.1:1/acme/app.git \
    --redis "unix://$TEST_TMP/own.sock"
redis-cli -s "$TEST_TMP/own.sock" config set rdbcompression no >/dev/null
redis-cli -s "$TEST_TMP/own.sock" save >/dev/null
ok "--redis: it has the log" grep -q ':log:run-' "$TEST_TMP/dump.rdb"
not_ok "--redis: it has no secrets" grep -q -e sesame77 -e hunter22 "$TEST_TMP/dump.rdb"
kill "$redis"
wait "$redis" 2>/dev/null

# --- ends ------------------------------------------------------------------
# begin PIPELINE [ARGUMENT…]: in the background, until its step waits
begin() {
    local name=$1
    shift
    : >"$TEST_TMP/out"
    "$BERTH_BIN" run "$name.yml" --repo "$repo" "$@" >>"$TEST_TMP/out" 2>&1 &
    pid=$!
    wait_for grep -q '│ waiting' "$TEST_TMP/out"
}

# ended WANTED-STATUS NAME
ended() {
    status=0
    wait "$pid" || status=$?
    ended_us=${EPOCHREALTIME/./}
    out=$(cat "$TEST_TMP/out")
    is "$status" "$1" "$2: exit $1"
    is "$(traces)" "" "$2: nothing is left behind"
}

for signal in TERM HUP; do
    begin waits
    kill -"$signal" "$pid"
    ended 130 "SIG$signal"
    like "$out" "cancelling \(again to kill\)" "SIG$signal: says so"
    like "$out" "naps +■ cancelled" "SIG$signal: the table"
done

begin stubborn
before=${EPOCHREALTIME/./}
kill -INT "$pid" "$pid"
wait_for grep -q "cancelling" "$TEST_TMP/out"
sleep 1
ok "one Ctrl-C that comes twice does not kill" kill -0 "$pid"
kill -INT "$pid"
ended 130 "twice"
# The grace time is 10 s.
ok "twice: at once, not after the grace time" test $((ended_us - before)) -lt 6000000
like "$out" "cancelling.*killing" "twice: says so"
begin stubborn
before=${EPOCHREALTIME/./}
kill -QUIT "$pid"
ended 130 "SIGQUIT"
ok "SIGQUIT: at once" test $((ended_us - before)) -lt 6000000

# As nohup does it.
: >"$TEST_TMP/out"
(trap '' HUP; exec "$BERTH_BIN" run waits.yml --repo "$repo") >>"$TEST_TMP/out" 2>&1 &
pid=$!
wait_for grep -q '│ waiting' "$TEST_TMP/out"
kill -HUP "$pid"
sleep 0.5
not_ok "nohup: SIGHUP is ignored" grep -q cancelling "$TEST_TMP/out"
kill -TERM "$pid"
ended 130 "nohup, then SIGTERM"

before=$SECONDS
"$BERTH_BIN" run waits.yml --repo "$repo" | head -n 1 >"$TEST_TMP/out"
ok "a reader that goes away ends the run" test $((SECONDS - before)) -lt 10
is "$(traces)" "" "a reader that goes away: nothing is left behind"

run show.yml --repo "$repo" --keep
kept=$(sed -n 's/.*kept at //p' "$TEST_TMP/out")
like "$kept" "^/" "--keep: says where"
is "$(cat "$kept/file.txt" 2>&1)" two "--keep: the files are there"

# --- a terminal ------------------------------------------------------------
# on_terminal KEYS-COMMAND ARGUMENT…: run on a terminal of 60 columns; what
# the command prints is typed. script(1) loses exit statuses now and then.
on_terminal() {
    local keys=$1
    shift
    rm -f "$TEST_TMP/typescript" "$TEST_TMP/status"
    printf -v command '%q ' "$BERTH_BIN" run "$@"
    eval "$keys" | TERM=xterm script -qfc \
        "trap : INT; stty cols 60 rows 20; $command; echo \$? >$TEST_TMP/status" \
        "$TEST_TMP/typescript" >/dev/null
    out=$(cat "$TEST_TMP/typescript")
    status=$(cat "$TEST_TMP/status")
}
# Type Ctrl-C when the step waits. The keyboard stays until the end: script(1)
# may kill the shell when it goes.
interrupt() {
    wait_for grep -s 'waiting' "$TEST_TMP/typescript"
    printf '\003'
    wait_for test -s "$TEST_TMP/status"
}
esc=$(printf '\033')

if ! command -v script >/dev/null; then
    skip "a terminal" "there is no script(1)"
else
    on_terminal : show.yml --repo "$repo"
    is "$status" 0 "terminal: exit 0"
    like "$out" "${esc}\[32m✓${esc}\[0m shows  ${esc}\[2m[0-9.]+ m?s" \
        "terminal: colours, one line a step that ended"
    like "$out" "${esc}\[33m[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]${esc}\[0m " "terminal: a spinner"
    like "$out" "${esc}\[\?25l.*${esc}\[\?25h" "terminal: the cursor comes back"
    NO_COLOR=1 on_terminal : show.yml --repo "$repo"
    not_ok "terminal: NO_COLOR" grep -q "${esc}\[3[0-9]m" "$TEST_TMP/typescript"
    pipeline hostile <<'Y'
steps:
  - name: hostile
    run: |
      printf '\033]0;owned\007\033[2J\302\2332J\033[31mred\n'
      printf '%0200d\n' 0; sleep 1
Y
    on_terminal : hostile.yml --repo "$repo" -v
    not_ok "terminal: a step's sequences do not reach it" \
        grep -qP '\033\]|\033\[2J|\xc2\x9b|\033\[31mred' "$TEST_TMP/typescript"
    like "$out" "│ ${esc}\[0mred" "terminal: its text does"
    on_terminal interrupt waits.yml --repo "$repo"
    is "$status" 130 "terminal: Ctrl-C"
    is "$(traces)" "" "terminal: Ctrl-C leaves nothing behind"
fi

done_testing
