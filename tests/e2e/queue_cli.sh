#!/bin/bash
# tests/e2e/queue_cli.sh - the commands that look into a queue and steer it.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# long 20
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/queue.sh
. "$(dirname "$0")/../lib/queue.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_CONFIG
export BERTH_STATE_DIR=$TEST_TMP/state TZ=UTC
url=unix://$TEST_TMP/s

# run ARGUMENT…: sets status, out, err
run() {
    status=0
    out=$("$BERTH_BIN" "$@" 2>"$TEST_TMP/err" </dev/null) || status=$?
    err=$(<"$TEST_TMP/err")
}

# json EXPRESSION: of d, the document in $out
json() {
    node -e 'const d = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(eval(process.argv[1])))' "$1" <<<"$out"
}

# wrong WANTED-ERROR ARGUMENT…: exit 2, a message, nothing on stdout
wrong() {
    run "${@:2}"
    is "$status|$out" "2|" "berth ${*:2}: exit 2, nothing on stdout"
    like "$err" "$1" "berth ${*:2}: says why"
}

# ---- wrong usage, no Redis ----------------------------------------------------
wrong "'berth cancel' needs ID…" cancel
wrong "'berth retry' needs ID…" retry
wrong "'berth status' needs ID" status
wrong "'berth drain' needs WORKER" drain
wrong "'berth resume' needs WORKER" resume
wrong "unexpected argument 'b'" status a b
wrong "unexpected argument 'x'" ps x
wrong "'asleep' is no state of a job" ps --state asleep
wrong "exclude each other" ps -a --state ready
for limit in 0 1001 -1 3x ''; do
    wrong "'--limit' takes 1 to 1000" ps "--limit=$limit"
done
wrong "'--limit' takes 1 to 1000" queue --limit 0
wrong "exclude each other" rejected a --delete b
wrong "'--limit' takes 1 to 1000" report --limit 0
wrong "unexpected argument 'b'" report a b
wrong "did you mean '--retry-all'" dead --retry-al
wrong "did you mean 'status'" statsu
wrong "pool 'a b' is not 1 to 64" ps --redis "$url" --pool 'a b'
wrong "lease.renew" ps --redis "$url" --set lease.renew=x
wrong "the configuration is invalid" ps --config /nonexistent

run ps
is "$status|$out" "3|" "no Redis at all: exit 3"
like "$err" "no Redis is configured.*'$BERTH_STATE_DIR'.*--redis URL" \
    "no Redis at all: says what to do"
for command in ps queue dead rejected report "report a" "status a" "cancel a" "retry a" \
    "drain w" "resume w"; do
    # shellcheck disable=SC2086 # words
    run $command --redis "unix://$TEST_TMP/nobody"
    is "$status|$out" "3|" "Redis away: berth $command: exit 3"
    like "$err" "^berth: .*nobody" "Redis away: berth $command: names it"
done

redis_start
trap redis_stop EXIT
export BERTH_REDIS=$url

# ---- an empty pool ------------------------------------------------------------
run ps
is "$status|$out" "0|there are no such jobs" "ps of nothing"
run ps --json
is "$(json '[d.jobs, d.now_ms > 1.7e12]')" '[[],true]' "ps --json of nothing"
run queue
is "$out" "pool default  running 0

no scheduler has been seen: start one (berth scheduler)

no worker has been seen: start one (berth worker)" "queue of nothing"
run dead
is "$status|$out" "0|there are none" "dead of nothing"
run rejected
is "$status|$out" "0|there are none" "rejected of nothing"
run report
is "$status|$out" "0|there are none" "report of nothing"
for command in "status no" "report no" "report --again no" "cancel no" "retry no" "rejected no" \
    "rejected --delete no" "drain no" "resume no"; do
    # shellcheck disable=SC2086 # words
    run $command
    is "$status|$out" "1|" "berth $command: exit 1"
    like "$err" "there is no|no such job" "berth $command: says that it is not"
done
run status 'A B'
like "$status $err" "^1 .*job id 'A B' is not" "an id that can be none"

# ---- jobs that wait -----------------------------------------------------------
script configure max_instances 2 infra_retries 4 tcap:acme/busy 1 capped 1 \
    >/dev/null
workers_are_seen() {
    renew w1 labels ,linux, running 1 capacity 4 state alive >/dev/null
    renew w2 labels ,linux, running 0 capacity 1 refuses 'disk is full' >/dev/null
}
workers_are_seen
about='{"repo":"acme/app","branch":"fix/\u001b[31mred\u202e","change":42}'
job first tenant=acme/busy about='{"repo":"acme/busy"}'
is "$(lease w1)" "first
1" "a job runs"
job capped tenant=acme/busy
job plain tenant=acme/app about="$about" class=0
job plain2 tenant=acme/app class=0
job gpu labels=gpu,linux
job later not_before=4102444800000
job holder group=deploy-main class=3
job held group=deploy-main
job held2 group=deploy-main

run ps
is "$status|$err" "0|" "ps: exit 0"
like "$out" "^id +state +pipeline +repository +branch +age +worker
first +running +test +acme/busy +[0-9]+ (s|min) +w1
plain +ready +test +acme/app +fix/red #42 +[0-9]+ (s|min)
" "ps: first what runs, then what waits; a stranger's escapes are gone"
is "$(awk '{ print $1 }' <<<"$out" | tail -n +4 | sort | tr '\n' ' ')" \
    "capped gpu held held2 holder later plain2 " "ps: all that waits"
run ps --state delayed
like "$out" "^id [^
]*
later +delayed [^
]*$" "ps --state: that state only"
run ps --limit 2
like "$out" "first.*plain.*there may be more: see --limit" "ps --limit"
run ps --json
is "$(json 'd.jobs.find(j => j.id == "plain")' |
    sed -E 's/"submitted_at_ms":[0-9]{13}/"submitted_at_ms":1/')" \
    '{"id":"plain","state":"ready","kind":"job","priority":"urgent","tenant":"acme/app","pipeline":"test","about":{"repo":"acme/app","branch":"fix/\u001b[31mred‮","change":42},"submitted_at_ms":1}' \
    "ps --json: a row, as it was said"

# why ID WANTED: what berth status says of why it waits
why() {
    run status "$1"
    like "$out" "
waits +$2" "status $1: why it waits"
}
why gpu "no worker that is alive and takes jobs has the labels gpu,linux
"
why capped "1 of 1 instances of the repository acme/busy is in use"
why plain2 "1 job is before it"
why later "until 2100-01-01 00:00:00
"
why held2 "the group deploy-main is held by job holder; 1 before it
"
why plain "it is the next that a worker takes
"
is "$(lease w1)" "plain
1" "another runs"
why plain2 "2 of 2 instances of the pool are in use
"
run status plain2 --json
is "$(json 'd.why')" \
    '{"state":"ready","workers":1,"running":2,"max_instances":2,"before":0,"lanes_before":0}' \
    "status --json: the same"
run status plain
like "$out" "^job plain: running
pipeline +test
repo +acme/app
branch +fix/red
change +42
priority +urgent
submitted +[0-9:]{8} \([0-9]+ (s|min) ago\)
started +[0-9:]{8} \([0-9]+ (s|min) ago\)
worker +w1
attempts +1$" "status: all of a job that runs"
redis ZADD "${pool}schedulers" "$(date +%s%3N)" s1 >zadd
workers_are_seen
run queue
is "$(grep -c 'no scheduler' <<<"$out")" 0 "queue: a scheduler is there"
like "$out" "^pool default  running 2 of 2  urgent 1  normal 2  low 1  delayed 1  blocked 2
" "queue: the numbers"
like "$out" "
w1 +alive +1/4 +linux +[0-9]+ (s|min)" "queue: a worker"
like "$out" "
w2 +refuses +0/1 +linux +[0-9]+ (s|min) +disk is full
" "queue: one that refuses"
like "$out" "
held2 [^
]*
    the group deploy-main is held by job holder; 1 before it$" \
    "queue: why a job waits"
run queue --limit 1 --json
is "$(json '[d.pool, d.running, d.workers.length, d.waiting.length,
    d.waiting[0].id, d.waiting[0].why.running]')" \
    '["default",2,2,1,"plain2",2]' "queue --json --limit"

# ---- ending them --------------------------------------------------------------
run cancel plain held2 nope first
is "$status" 1 "cancel: exit 1, one is not there"
is "$out" "plain: asked to end
held2: cancelled
first: asked to end" "cancel: the others are done still"
is "$err" "berth: there is no job 'nope'" "cancel: the one is named"
run status plain
like "$out" "^job plain: running, to be cancelled
" "status of what is to end"
run cancel --json held2 no
is "$(json d)" \
    '{"jobs":[{"id":"held2","result":"ended"},{"id":"no","error":"there is no job '"'no'"'"}]}' \
    "cancel --json"
result='{"state":"failed","reason":"step_failed","duration_ms":61000,"steps":[
{"index":0,"name":"unit tests","outcome":"failed","reason":"step_failed",
"exit_code":3,"duration_ms":60000}],"message":"step 1 failed: exit code 3"}'
is "$(complete plain 1 w1 failed step_failed "$result")" ok "it ends"
run status plain
like "$out" "^job plain: failed: step_failed
.*
step +outcome +duration
unit tests +[x✗] failed +1 min 00 s  exit code 3
failed in 1 min 01 s
.*
why:  step 1 failed: exit code 3
next: read all of the output: berth logs plain$" \
    "status: steps and why of a job that failed"
run status plain --json
is "$(json '[d.state, d.result.steps[0].exit_code, d.epoch]')" \
    '["failed",3,1]' "status --json: the result"
run ps
is "$(grep -c '^plain ' <<<"$out")" 0 "ps: nothing that ended"
run ps -a
like "$out" "
plain +failed: step_failed " "ps -a: that, too"
run ps --state cancelled --json
is "$(json 'd.jobs.map(j => j.id)')" '["held2"]' "ps --state of ended ones"

run retry held2 plain first
is "$status|$out" "1|held2: queued
plain: queued" "retry: what ended is queued again"
is "$err" "berth: cannot retry job first: it has not ended" \
    "retry: not what runs"
run status plain
like "$out" "^job plain: ready" "retry: it waits again"

# The infrastructure fails: tried again, then dead.
is "$(lease w2)" "plain
2" "in its old place, in the line of its repository"
complete plain 2 w2 passed >/dev/null
is "$(lease w2)" "plain2
1" "then the next"
complete plain2 1 w2 failed worker_lost '{}' 1 >/dev/null
why plain2 "until [0-9:]{8} \(retry 1 of 4 after worker_lost\)
"
like "$out" "^job plain2: delayed: worker_lost
.*
attempts +1; failed by the infrastructure: 1" "status: attempts"
job doomed infra_retries=0 class=0
is "$(lease w2)" "doomed
1" "another runs"
complete doomed 1 w2 failed sandbox_failed '{}' 1 >/dev/null
run dead
like "$out" "
doomed +failed: sandbox_failed " "dead: what used up its attempts"
run status doomed
like "$out" "
attempts +1; no more are allowed" "status of it"
run dead --json
is "$(json '[d.jobs.length, d.jobs[0].exhausted]')" '[1,true]' "dead --json"
run dead --retry-all --json
is "$status $(json d)" '0 {"jobs":[{"id":"doomed","result":"queued"}]}' \
    "dead --retry-all"
run dead
is "$out" "there are none" "dead: none is left"
run retry plain
like "$status $err" "^1 .*what was to be done is not kept: submit it again" \
    "retry: not what passed"

# ---- runs ---------------------------------------------------------------------
job r1 run_jobs=2 tenant=acme/app pipeline=matrix
is "$(begin_child r1 0 0 1 tenant=acme/app about='{"name":"node 20"}')" ok \
    "a run begins a job"
run ps
like "$out" "
r1 +running +matrix +acme/app +[0-9]+ s
  r1-1 +ready +node 20 +[0-9]+ s
  r1-2 +skipped
" "ps: a run and its jobs below it"
is "$(grep -c r1-1 <<<"$out")" 1 "ps: each once"
run status r1
like "$out" "^run r1: running
.*
  r1-1 +ready +node 20 .*
  r1-2 +skipped$" "status of a run: its jobs"
run status r1 --json
is "$(json 'd.jobs.map(j => [j.id, j.state])')" \
    '[["r1-1","ready"],["r1-2","skipped"]]' "status --json of a run"
run status r1-1
like "$out" "
run +r1
" "status of a job of a run"
run cancel r1
is "$status|$out" "0|r1: asked to end" "cancel of a run"
run status r1-1
like "$out" "^job r1-1: cancelled
" "and its jobs"
run retry r1-1
like "$status $err" "^1 .*one of a run: retry the run" "retry: not one of a run"

# What it came to, and each thing once.
job r2 run_jobs=2 pipeline=ci about='{"repo":"https://h/acme/app.git","repo_name":"acme/app","pipeline":"ci","name":"ci"}'
script advance r2 0 1 0 0 failed step_failed \
    '{"state":"failed","message":"1 of 2 jobs have failed: a"}' >advanced
run status r2
like "$out" "^run r2: failed: step_failed
pipeline +ci
repo +https://h/acme/app.git
priority +normal
submitted [^
]*
started [^
]*
ended [^
]*
why +1 of 2 jobs have failed: a$" "status of a run that failed: why"
run logs r2
is "$status|$out|$err" "0||note: no job of the run r2 has been begun" \
    "logs of a run without any: says so"

# ---- workers ------------------------------------------------------------------
run drain w2
is "$status|$out" "0|w2: takes no further jobs" "drain"
run queue
like "$out" "
w2 +drained " "queue: it is drained"
run resume w2 --json
is "$status $(json d)" '0 {"worker":"w2","drain":false,"leases":0}' \
    "resume --json"
"$BERTH_BIN" drain w1 --wait >waited 2>&1 &
waiter=$!
sleep 1
ok "drain --wait: waits for what is in hand" kill -0 "$waiter"
complete first 1 w1 cancelled cancelled >/dev/null
sleep 1.2
ok "drain --wait: and until the worker knows" kill -0 "$waiter"
is "$(renew w1 running 0)" 1 "the worker learns it"
wait "$waiter"
is "$?|$(<waited)" "0|w1: takes no further jobs" "drain --wait: then it ends"
run drain w1 --set lease.duration=3s --set lease.renew=1s \
    --set lease.kill_after=2s
sleep 3
run drain w1 --wait --set lease.duration=3s --set lease.renew=1s \
    --set lease.kill_after=2s
is "$status|$out" "0|w1: takes no further jobs" "drain --wait of a dead worker"
like "$err" "^note: this worker was last seen [0-9]+ s ago$" "says that it is"

# ---- rejected documents -------------------------------------------------------
document=$'kind: tset\t# \x1b[31m\xff\n'
redis LPUSH "${pool}inbox:s1" "$document" >/dev/null
is "$(script reject s1 "$document" bad-1 \
    $'1:7: no pipeline \x1b[1m\'tset\'\n    1 | kind: tset\n')" \
    1 "a document is rejected"
run rejected
like "$out" "^id +rejected +bytes +reason
bad-1 +[0-9:]{8} +[0-9]+ B +1:7: no pipeline 'tset'$" "rejected: the list"
run rejected bad-1
is "$out|$err" $'kind: tset\t# \x1b[31m\xef\xbf\xbd|rejected: 1:7: no pipeline \'tset\'\n    1 | kind: tset' \
    "rejected ID: the document and the reason"
run rejected --json
is "$(json '[d.rejected.length, d.rejected[0].bytes, d.rejected[0].scheduler,
    d.rejected[0].document === undefined]')" '[1,20,"s1",true]' \
    "rejected --json"
run rejected bad-1 --json
is "$(json 'd.document')" '"kind: tset\t# \u001b[31m�\n"' \
    "rejected ID --json"
run rejected --delete bad-1
is "$status|$out" "0|bad-1: deleted" "rejected --delete"
run rejected
is "$out" "there are none" "it is gone"

# ---- reports ------------------------------------------------------------------
where='"forge":"github","repo":"acme/app","commit":"8f14e45fceea167a5a36dedd4bea2543a3cf1b2c"'
job told tenant=rep report="{$where,\"change\":\"42\"}"
job push tenant=rep report="{$where,\"name\":\"my \u001b[31mcheck\"}"
run report plain
is "$status|$out|$err" "1||berth: job plain is reported to nobody" \
    "report: a job that has none"
run report told
is "$out" "job told: waits
host        github acme/app #42
commit      8f14e45fceea167a5a36dedd4bea2543a3cf1b2c" "report: it waits"
run queue
like "$out" "^pool default .*  to be reported 2" "queue counts it"
is "$(report_take n1 github)" "github
told" "a scheduler takes it"
run report told
like "$out" "^job told: being told
" "report: it is being told"
is "$(report_done github n1 'done' '' 0 'one line is gone')" 'done' "it was told"
run report told
like "$out" "^job told: told [0-9]+ (s|min) ago
.*
comments    2 new, 1 resolved
notes       one line is gone" "report: what was told"
run status told
like "$out" "
report      github acme/app #42: told [0-9]+ (s|min) ago" "status has a line of it"
run status told --json
is "$(json '[d.report.state, d.report.revision, d.report.report.change]')" \
    '["told",1,"42"]' "status --json has it"
report_take n2 github >/dev/null
is "$(report_done github n2 again 'no answer')" again "a host that is away"
run report push
like "$out" "^job push: waits, next try in [0-9]+ s \(1 failed\): no answer
host        github acme/app 8f14e45
commit .*
check       my check" "report: the next try, and why"
run report push --again
is "$status|$out" "0|push: to be reported" "report --again: at once"
report_take n3 github >/dev/null
is "$(report_done github n3 paused 'too many requests' 60000)" paused "a pause"
run report push
like "$out" "^job push: waits: the host wants a pause of [0-9]+ (s|min)" \
    "report: the pause"
run queue
like "$out" "
github wants a pause: nothing is reported for [0-9]+ (s|min)" "queue: it, too"
redis DEL "${pool}paused:github" >/dev/null
report_take n4 github >/dev/null
is "$(report_done github n4 refused $'403: no \033[31mright\nmore')" refused \
    "a host that refuses"
run report push
like "$out" "^job push: refused [0-9]+ (s|min) ago: 403: no" "report: refused"
is "$(tr -d '\n -~' <<<"$out")" "" "what it said steers no terminal"
run report
like "$out" "^id +refused +state +host +why
push +[0-9:]+ +ready +github acme/app 8f14e45 +403: no [^
]*right$" "report: all that were refused"
run report --json
is "$(json 'd.unreported.map(r => [r.id, r.report.repo, r.state])')" \
    '[["push","acme/app","ready"]]' "report --json"
run queue
like "$out" "^pool default .*  not reported 1" "queue counts them"
run report --again --json
is "$(json d)" '{"jobs":[{"id":"push","result":"to be reported"}]}' \
    "report --again: all of them"
run report push --json
is "$(json '[d.id, d.state, d.revision, d.error_at_ms > 1.7e12]')" \
    '["push","waiting",3,true]' "report ID --json"
for id in told push; do
    run cancel "$id"
done

# ---- pools, settings, terminals -----------------------------------------------
run ps --pool other
is "$out" "there are no such jobs" "--pool: another one"
printf 'redis: {url: "%s"}\npool: {name: other}\n' "$url" >berth.yml
BERTH_REDIS='' run queue --config berth.yml
like "$out" "^pool other " "--config: Redis and pool of it"
BERTH_CONFIG=berth.yml BERTH_REDIS='' run queue --pool third
like "$out" "^pool third " "--pool wins over the configuration"
BERTH_REDIS=unix:///nobody run ps --redis "$url"
is "$status" 0 "--redis wins over BERTH_REDIS"
narrow=
if type -P script >/dev/null; then
    narrow=$(command script -qec "stty cols 80; LC_ALL=C TERM=xterm '$BERTH_BIN' queue" \
        /dev/null </dev/null)
fi
if [ -n "$narrow" ]; then
    like "$narrow" $'\e\\[1m' "on a terminal: colours"
    is "$(sed 's/\x1b\[[0-9]*m//g; s/\r//' <<<"$narrow" | tail -n +3 |
        awk 'length($0) > 82 && !/^  /')" '' "on a terminal: no longer than it"
else
    skip "on a terminal" "there is no script(1)"
fi
"$BERTH_BIN" ps -a >/dev/full 2>err
is "$?|$(<err)" \
    "1|berth: cannot write to standard output: No space left on device" \
    "a full disk is told"
mkfifo gone
exec 3<>gone
exec 4>gone
exec 3>&-
"$BERTH_BIN" ps -a >&4 2>err
is "$?|$(<err)" "1|" "a reader that has gone is told nothing"
exec 4>&-

# ---- the Redis of a berth that runs here ----------------------------------------
unset BERTH_REDIS
mkdir -p "$BERTH_STATE_DIR/redis"
(
    cd "$BERTH_STATE_DIR/redis" || exit 1
    printf '%s' "$PWD/redis.sock" >socket
    exec redis-server --port 0 --unixsocket redis.sock --dir "$PWD" \
        --pidfile "$PWD/redis.pid" --save '' --logfile log
) &
embedded=$!
trap 'redis_stop; kill "$embedded" 2>/dev/null' EXIT
wait_for "$BERTH_BIN" ps
run ps
is "$status|$out" "0|there are no such jobs" "it is found without being named"
redis-cli -s "$BERTH_STATE_DIR/redis/redis.sock" HSET "${pool}job:mine" \
    state running kind job epoch 1 >/dev/null
"$BERTH_BIN" logs -f mine >followed 2>&1 &
follower=$!
sleep 1
ok "logs -f follows a job of it" kill -0 "$follower"
kill "$embedded"
wait "$embedded"
wait "$follower"
is "$?|$(<followed)" "3|berth: the berth that ran this Redis has ended" \
    "and ends with it"
run ps
like "$status $err" "^3 .*no Redis is configured" "it is gone"
is "$(script audit 10)" "" "the queue is whole"
done_testing
