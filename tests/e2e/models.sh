#!/bin/bash
# tests/e2e/models.sh - steps that ask a model, in real sandboxes.
# SPDX-License-Identifier: Apache-2.0
# timeout 240
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
key=k3y-$$-ZebraCrossing
other=k3y-$$-QuillFeather
printf '%s\n' ZebraCrossing QuillFeather >words
mkdir -p "$repo"
echo one >"$repo/file.txt"
make_repo "$repo"
(umask 077 && echo "$key" >key)
export OTHER_KEY=$other

# ---- two providers --------------------------------------------------------------
# fake NAME KEY: listens at the port in NAME.port, records into NAME.log.
fake() {
    node "$tap_root/tests/fakes/model.js" --key "$2" --record "$PWD/$1.log" \
        >"$1.out" &
    pids+=($!)
    wait_for test -s "$1.out"
    node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).port' \
        "$1.out" >"$1.port"
}
fake good "$key"
fake spare "$other"

# script NAME JSON: what the fake does from now on.
script() {
    curl -sS -o control.out -d "{\"script\": $2}" \
        "http://127.0.0.1:$(cat "$1.port")/control"
}

cat >berth.yml <<Y
models:
  - name: default
    url: http://127.0.0.1:$(cat good.port)/v1
    key: file:$PWD/key
    model: small
    allow: large
    context: 1000
    output: 500
    price: {input: 1, output: 2}
    budget: {requests: 5, tokens: 100000, usd: 0.5, time: 1m}
  - name: spare
    url: http://127.0.0.1:$(cat spare.port)/v1
    dialect: anthropic
    key: env:OTHER_KEY
    model: sonnet
    budget: {requests: 3, tokens: 2000, usd: 1}
    repository_budget: {requests: 4}
Y
export BERTH_CONFIG=$PWD/berth.yml

# A client as simple as can be: asks COUNT times, prints each status.
cat >ask.sh <<'S'
for i in $(seq $COUNT); do
    curl -sS -o answer -w '%{http_code}\n' --max-time 20 \
        -H 'Content-Type: application/json' \
        -d "{\"model\":\"$BERTH_MODEL\",\"messages\":[],\"stream\":true}" \
        "$BERTH_MODEL_URL/chat/completions"
done
cat answer
S
# pipeline COUNT [SANDBOX [MODEL]]
pipeline() {
    {
        echo "name: ask"
        echo "sandbox: {${2:-network: none}}"
        echo "steps:"
        echo "  - name: ask"
        echo "    model: ${3:-true}"
        echo "    env: {COUNT: \"$1\"}"
        echo "    run: |"
        sed 's/^/      /' ask.sh
    } >p.yml
}

# ---- what is there ----------------------------------------------------------------
pipeline 2
job p.yml
is "$job_status" 0 "a step asks a model, without a network"
is_valid_result "the result is valid"
is "$(result '.steps[0].model')" \
    '{"name":"default","model":"small","requests":2,"input_tokens":200,"output_tokens":40,"cached_tokens":0,"usd":0.00028,"estimated":false}' \
    "it says what was asked of the model"
is "$(result '.usage.model.requests')" 2 "so it does of the job"
is "$(grep -c 'Bearer '"$key" good.log)" 2 "the provider got the real key"

for network in 'network: [example.com]' 'network: full'; do
    if [ "$network" = 'network: full' ] && ! command -v slirp4netns >tool; then
        skip "a model with $network" "there is no slirp4netns"
        continue
    fi
    pipeline 1 "$network"
    job p.yml
    is "$job_status" 0 "a model with $network"
done

cat >env.yml <<'Y'
name: env
steps:
  - name: with
    model: {name: spare}
    run: |
      env | grep -E '^(BERTH_MODEL|OPENAI|ANTHROPIC)' | sort
      curl -sS $BERTH_MODEL_URL/models
      curl -sS --max-time 20 -H 'x-api-key: mine' \
          -d '{"model":"sonnet","max_tokens":9,"messages":[]}' \
          $ANTHROPIC_BASE_URL/v1/messages
  - name: without
    run: |
      env | grep BERTH_MODEL && exit 1
      curl -sS http://127.0.0.1:809/v1/models
Y
"$BERTH_BIN" run --repo "$repo" env.yml >out 2>&1
is $? 0 "another model, by its name"
like "$(cat out)" 'ANTHROPIC_API_KEY=unused' "its client has a key of no worth"
like "$(cat out)" 'BERTH_MODEL=sonnet' "and knows what to ask for"
like "$(cat out)" 'Hello from the model' "messages go through"
like "$(cat out)" 'no step that may use a model' "a later step may not ask"
like "$(cat out)" 'model: 1 request' "a line of the report says what was asked"

# ---- a relay that dies while nobody asks ------------------------------------------
cat >lone.yml <<'Y'
name: lone
steps:
  - name: asks
    model: true
    run: curl -sS -o x $BERTH_MODEL_URL/models
  - name: does not
    run: |
      echo "by itself"
      for i in $(seq 300); do
        curl -sS -o x --max-time 5 http://127.0.0.1:809/v1/models || break
        sleep 0.1
      done
      [ "$i" -lt 300 ] && sleep 1 && echo "to the end"
Y
relays_of() { # relays_of PID: those of a run
    pgrep -x -P "$1,$(pgrep -P "$1" | tr '\n' ,)" relay
}
"$BERTH_BIN" run --repo "$repo" lone.yml >lone.out 2>&1 &
lone=$!
wait_for grep -q "by itself" lone.out
for pid in $(relays_of "$lone"); do
    kill -KILL "$pid"
done
wait "$lone"
is $? 0 "a step that asks nobody does not end with the relay"
like "$(cat lone.out)" 'to the end' "it goes on"

# ---- a relay that is killed in the middle -------------------------------------------
script good '[{"mode": "hang"}]'
cat >stuck.yml <<'Y'
name: stuck
steps:
  - name: asks
    model: true
    run: |
      curl -sS --max-time 3 -d '{"model":"small","max_tokens":70,
          "messages":[{"role":"user","content":"stuck"}]}' \
          $BERTH_MODEL_URL/chat/completions || echo "nobody answers"
Y
"$BERTH_BIN" run --repo "$repo" --json stuck.yml >stuck.json 2>stuck.out &
stuck=$!
wait_for grep -q stuck good.log
for pid in $(relays_of "$stuck"); do
    kill -STOP "$pid"
done
wait "$stuck"
like "$(node -p 'JSON.stringify(JSON.parse(require("fs").readFileSync(
    "stuck.json")).steps[0].model)')" \
    '"requests":1,.*"output_tokens":70,.*"estimated":true' \
    "what was under way counts as all that it may have taken"
script good '[{}]'

# ---- budgets ----------------------------------------------------------------------
pipeline 9
job p.yml
is "$job_status" 1 "five requests, and the sixth ends the step"
is "$(result .reason)" budget_exceeded "the budget is the reason"
like "$(result .message)" '5 of 5 requests used' "with its figures"
is "$(result '.steps[0].model.requests')" 5 "exactly five were sent"
is_valid_result "the result is valid"

pipeline 9 'network: none' '{budget: {requests: 2}}'
job p.yml
like "$(result .message)" '2 of 2 requests used .budget of the step' \
    "a step can have less"

cat >both.yml <<'Y'
name: both
steps:
  - {name: a, model: spare, run: "true"}
Y
job both.yml
is "$job_status" 0 "a budget of the repository is reserved"

# ---- failures ---------------------------------------------------------------------
script good '[{"mode": "fail", "status": 401, "text": "no such key"}]'
pipeline 3
job p.yml
is "$(result .reason)" model_failed "a provider that refuses the key"
like "$(result .message)" 'answers 401: no such key' "says so"
script good '[{"mode": "empty"}]'
pipeline 5
job p.yml
like "$(result .message)" '4 answers in a row without content' "empty answers"
script good '[{}]'

# A relay that says nothing.
mkdir mute
ln -s "$BERTH_LIBEXEC"/* mute
rm mute/relay
printf '#!/bin/sh\nexec sleep 100\n' >mute/relay
chmod +x mute/relay
pipeline 1
BERTH_LIBEXEC=$PWD/mute job p.yml
is "$(result .reason)" model_failed "a relay that does not answer"
like "$(result .message)" 'did not take the step within 10 s' \
    "is not waited for without end"

echo 'steps: [{model: none, run: "true"}]' >none.yml
job none.yml
is "$(result .reason)" pipeline_invalid "a model that nobody knows"
like "$(result .message)" "no model 'none'" "is named"
mv key away
pipeline 1
job p.yml
is "$(result .reason)" model_failed "a key that cannot be read"
mv away key
printf '%s\n' 'models: [{name: a, url: "http://h/v1", model: m, key: sk-12}]' >bad.yml
not_ok "a key in the configuration is refused" \
    "$BERTH_BIN" config --config bad.yml

# ---- a budget that jobs share, and what is secret -------------------------------
redis() {
    redis-cli -s "$TEST_TMP/s" "$@"
}
redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" \
    --save '' --appendonly yes >redis.log 2>&1 &
redis_pid=$!
pids+=("$redis_pid")
wait_for redis ping
cat >>berth.yml <<Y
redis: { url: "unix://$TEST_TMP/s" }
worker: { name: w1, capacity: 2, min_disk: 1KiB, min_memory: 1KiB }
queue: { backoff: 1s }
Y
"$BERTH_BIN" worker >worker.log 2>&1 &
worker_pid=$!
pids+=("$worker_pid")

submit() { # submit ID: a pipeline on stdin
    {
        echo "id: $1$job_tag"
        echo "repo: $repo"
        echo "pipeline:"
        sed 's/^/  /'
    } >"$1.yml"
    echo "$1$job_tag" >>job-ids
    "$BERTH_BIN" submit "$1.yml" >"$1.out" 2>&1
}
field() { # field ID NAME
    redis hget "berth:{default}:job:$1$job_tag" "$2"
}
ended() {
    [[ $(field "$1" state) =~ ^(passed|failed|cancelled)$ ]]
}
spent() { # spent FIELD, of today
    redis hget "berth:{default}:spend:$(date -u +%F)" "$1"
}

# The provider says nothing until we have looked.
: >spare.log
script spare '[{"mode": "hang"}, {}]'
submit looked <<'Y'
sandbox: { instance_type: lite }
steps:
  - name: ask
    model: spare
    run: |
      curl -sS --max-time 316 -d '{"model":"sonnet","max_tokens":9,"messages":[]}' \
          $BERTH_MODEL_URL/messages || echo "nobody answers"
      cat /proc/*/environ /proc/*/cmdline | grep -ac -e 'Zebra[C]rossing' -e 'Quill[F]eather'
Y
asked() {
    [ -s spare.log ] && grep -q messages spare.log &&
        [ "$(spent day:spare:requests)" = 3 ]
}
wait_for asked
is "$(spent day:spare:requests)" 3 "the whole budget of a job is reserved"
scan() {
    local pid
    for pid in "$worker_pid" $(pgrep -P "$worker_pid") \
        $(pgrep -f "libexec/berth/") "$redis_pid"; do
        grep -alsf words "/proc/$pid/environ" "/proc/$pid/cmdline"
    done
    return 0
}
is "$(scan)" "" "no process of ours has a key in its environment or arguments"
for pid in $(pgrep -x relay -P "$(pgrep -d, -P "$worker_pid" -x run-job)"); do
    core=$(grep "core file" "/proc/$pid/limits")
    seccomp=$(grep Seccomp: "/proc/$pid/status")
    uid=$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")
done
like "${core:-}" "size +0 +0" "nor can a core of the relay have one"
like "${seccomp:-}" "2" "few system calls are left to it"
if [ "$(id -u)" = 0 ]; then
    like "${uid:-0}" '^[1-9][0-9]{8}' "it is a user that nobody is"
else
    skip "it is a user that nobody is" "not root"
fi
script spare '[{}]'
kill "$(pgrep -x -f 'curl -sS --max-time 316 .*')"
wait_for ended looked
like "$(field looked result)" '"requests":[123]' "the job ended"
is "$(spent day:spare:requests)" \
    "$(field looked result | node -p 'JSON.parse(require("fs").readFileSync(0)).usage.model.requests')" \
    "what it did not need is given back"
submit second <<<'{ sandbox: { instance_type: lite }, steps: [{ model: spare, run: "true" }] }'
wait_for ended second
submit third <<'Y'
sandbox: { instance_type: lite }
steps:
  - name: ask
    model: spare
    run: |
      for i in 1 2 3; do
        curl -sS --max-time 20 -d '{"model":"sonnet","max_tokens":9,"messages":[]}' \
            $BERTH_MODEL_URL/messages || exit 1
      done
Y
wait_for ended third
submit fourth <<<'{ sandbox: { instance_type: lite }, steps: [{ model: spare, run: "true" }] }'
wait_for ended fourth
is "$(field fourth reason)" budget_exceeded "no job begins that could need more"
like "$(field fourth result)" \
    "[0-9] of 4 requests of the repository's jobs of today are spent or reserved, and this one may need 3" \
    "the result has the figures"
# A step that makes its model fail is tried again, with what it has left.
: >good.log
script good '[{"mode": "empty"}]'
"$BERTH_BIN" scheduler >scheduler.log 2>&1 &
pids+=($!)
{
    echo 'sandbox: { instance_type: lite }'
    echo 'steps:'
    echo '  - name: ask'
    echo '    model: true'
    echo '    env: {COUNT: "9"}'
    echo '    run: |'
    sed 's/^/      /' ask.sh
} | submit hostile
wait_for ended hostile
is "$(field hostile epoch)" 2 "a model that failed is the infrastructure's fault"
is "$(field hostile reason)" budget_exceeded "a second attempt has no other budget"
like "$(field hostile result)" '5 of 5 requests used .budget of the job' \
    "what the first one spent is among it"
is "$(grep -c chat/completions good.log)" 5 "the provider was asked no more"
is "$(grep -rlaf words --exclude-dir=disks "$BERTH_STATE_DIR" appendonlydir result.json job.err \
    out worker.log scheduler.log redis.log 2>grep.err)" "" "no key is in state, Redis, logs or results"
is "$(traces)" "" "nothing is left behind"
done_testing
