#!/bin/bash
# tests/e2e/cli.sh - the command line itself: help, mistakes, exit statuses.
# SPDX-License-Identifier: Apache-2.0
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
export BERTH_STATE_DIR=$TEST_TMP/state
cd "$TEST_TMP" || exit 1

# run ARGUMENT…: sets status; what it printed is in out and err
run() {
    status=0
    "$BERTH_BIN" "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null || status=$?
    out=$(cat "$TEST_TMP/out")
    err=$(cat "$TEST_TMP/err")
}

# wrong WANTED-ERROR ARGUMENT…: exit 2, a message, nothing on stdout
wrong() {
    local wanted=$1
    shift
    run "$@"
    is "$status|$out" "2|" "berth $*: exit 2, nothing on stdout"
    like "$err" "$wanted" "berth $*: says why"
}

run --help
is "$status|$err" "0|" "--help: exit 0, nothing on stderr"
for command in run worker validate config doctor setup ps status logs cancel \
    retry queue drain resume rejected dead deliveries report version help; do
    like "$out" "
  $command +[A-Z]" "--help: lists $command"
done
run help
like "$out" "^usage: berth COMMAND" "help: the same"
run help run
like "$out" "^usage: berth run PIPELINE \[options\]" "help run: usage"
for option in repo commit ref input env-file json keep quiet verbose redis; do
    like "$out" "--$option( |,|$)" "help run: explains --$option"
done
like "$out" "exit status: 0 passed, 1 failed" "help run: exit statuses"
run help
mapfile -t commands < <(awk '/^  [a-z]/ { print $1 }' <<<"$out")
for command in "${commands[@]}"; do
    run help "$command"
    is "$(LC_ALL=C.UTF-8 grep -E '^.{81}' <<<"$out")" "" \
        "help $command: within 80 columns"
done
run help run
first=$out
run run --help
is "$status|$out" "0|$first" "run --help: the same"
run validate -h
like "$status $out" "^0 usage: berth validate FILE" "validate -h"
run version
like "$status $out" "^0 berth [0-9]+\.[0-9]+\.[0-9]+$" "version"
first=$out
run --version
is "$out" "$first" "--version: the same"

run
is "$status|$out" "2|" "no command: exit 2, nothing on stdout"
like "$err" "usage: berth COMMAND" "no command: usage"
wrong "unknown command 'rnu'; did you mean 'run'\?" rnu
wrong "unknown command 'zzzzzz'; 'berth help' lists them" zzzzzz
wrong "unknown command 'rum'; did you mean 'run'\?" help rum
wrong "only opencode is set up" setup docker
wrong "'berth setup' needs opencode" setup
wrong "'berth run' needs PIPELINE" run
wrong "unexpected argument 'b'" run a b
wrong "unknown option '--jsn'; did you mean '--json'\?" run test --jsn
wrong "option '--repo' needs PATH\|URL" run test --repo
wrong "option '--json' takes no value" run test --json=yes
wrong "unexpected argument 'now'" version now
wrong "--quiet and --verbose exclude" run test -q -v
wrong "--commit and --ref exclude" run test --commit abcd --ref main
wrong "no pipeline 'tset'.* ships with .*did you mean 'test'\?" run tset
wrong "no pipeline 'nothing.yml': there is no such file" run nothing.yml
wrong "redis://" run test --redis ftp://x

printf 'steps:\n- run: make\n- opencode:\n' >behind.yml
run validate behind.yml
is "$status|$out" "0|behind.yml: valid" "a warning: valid all the same"
like "$err" "^behind.yml:3:12: warning: this review comes after .*3 \| - open" \
    "and told, with its place"
run validate --json behind.yml
like "$(tr -d ' \n' <<<"$out")" \
    '"valid":true,"errors":\[\],"warnings":\[\{"line":3,' "also as JSON"
run validate --json "$tap_root"/pipelines/library/*.yml
is "$(grep -c '"warnings": \[\]' <<<"$out")" \
    "$(find "$tap_root/pipelines/library" -name '*.yml' | wc -l)" \
    "no pipeline that ships makes one"

mkdir plain empty
git -C empty init -q
wrong "'plain' is not in a Git repository" run test --repo plain
wrong "has no commit yet" run test --repo empty
wrong "No such file" run test --repo missing
git -C empty commit -q --allow-empty -m first
wrong "has no commit 'nope'" run test --repo empty --ref nope
wrong "has no commit 'abcdabcd'" run test --repo empty --commit abcdabcd
wrong "for a branch or tag use --ref" run test --repo empty --commit main
wrong "needs all 40 digits" run test --repo https://h.example/a --commit abcd

wrong "--input' takes NAME=value" run test --repo empty --input novalue
wrong "--input a is given twice" run test --repo empty --input a=1 --input a=2
printf 'A=1\nB="open\n' >env.txt
wrong "env.txt:2:3: the quote is never closed" run test --repo empty --env-file env.txt
wrong "'?no-such-env'?" run test --repo empty --env-file no-such-env

printf 'name: broken\ntiemout: 5m\nsteps:\n  - run: "true"\n    tiemout: 3\n' >broken.yml
wrong "broken.yml:2:1: .*timeout" run broken.yml --repo empty
like "$err" "broken.yml:5:5: " "an invalid pipeline: all errors are listed"
like "$err" "5 \|     tiemout: 3
 +\|     \^" "an invalid pipeline: the caret is beneath the place"
printf 'jobs: {a: {steps: [{run: ls}]}}\n' >many.yml
wrong "give that to 'berth submit --follow'" run many.yml --repo empty
like "$err" "many.yml:1:7: this makes several jobs" "and what is wrong stays told"
ok "none of this started anything" test ! -e "$BERTH_STATE_DIR"

run run test --repo empty --redis unix:///nonexistent/redis.sock
is "$status|$out" "3|berth: test over empty at $(git -C empty rev-parse --short=7 HEAD) ($(git -C empty branch --show-current))" \
    "a Redis that is not there: exit 3"
like "$err" "berth: .*/nonexistent/redis.sock" "a Redis that is not there: which"
BERTH_REDIS=unix:///nonexistent/other.sock run run test --repo empty
like "$status $err" "^3 .*/nonexistent/other.sock" "BERTH_REDIS counts"
status=0
"$BERTH_BIN" help >/dev/full 2>/dev/null || status=$?
is "$status" 1 "a full disk beneath stdout is no success"

done_testing
