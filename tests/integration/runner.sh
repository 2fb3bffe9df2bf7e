#!/bin/bash
# tests/integration/runner.sh - the test runner counts what goes wrong.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
run=$(dirname "$0")/../run

# try NAME: the script is on stdin; sets status, last (line) and out
try() {
    cat >"$TEST_TMP/$1.sh"
    out=$("$run" "$TEST_TMP/$1.sh" 2>&1)
    status=$?
    last=$(tail -n 1 <<<"$out")
}

try good <<'END'
echo 1..2
echo ok 1 - a
echo "ok 2 - b # SKIP no reason"
END
is "$status: $last" "0: 1 passed, 0 failed, 1 skipped" "passing and skipping"
like "$out" "skipped: .*no reason" "a skipped test says why"

try bad <<'END'
echo 1..2
echo ok 1 - a
echo not ok 2 - b
echo "# the reason"
END
is "$status: $last" "1: 1 passed, 1 failed, 0 skipped" "a failed test"
like "$out" "the reason" "what failed is shown whole"

try short <<'END'
echo 1..3
echo ok 1 - a
END
is "$status: $last" "1: 1 passed, 1 failed, 0 skipped" "a short plan"

try long <<'END'
echo 1..1
echo ok 1 - a
echo ok 2 - b
END
is "$status: $last" "1: 2 passed, 1 failed, 0 skipped" "more tests than planned"

try no-plan <<'END'
echo ok 1 - a
END
is "$status: $last" "1: 1 passed, 1 failed, 0 skipped" "no plan"

try none <<'END'
echo 1..0
END
is "$status: $last" "1: 0 passed, 1 failed, 0 skipped" "zero tests"

try exit <<'END'
echo 1..1
echo ok 1 - a
exit 3
END
is "$status: $last" "1: 1 passed, 1 failed, 0 skipped" "a bad exit status"

try crash <<'END'
echo 1..1
echo ok 1 - a
kill -SEGV $$
END
is "$status: $last" "1: 1 passed, 1 failed, 0 skipped" "a crash"
like "$out" "signal 11" "a crash names its signal"

try slow <<'END'
# timeout 1
echo 1..1
sleep 60
END
is "$status: $last" "1: 0 passed, 1 failed, 0 skipped" "a time-out"
like "$out" "timed out after 1 s" "a time-out says so"

try temporary <<'END'
echo 1..1
test -d "$TEST_TMP" && test -z "$(ls "$TEST_TMP" | grep -v home)" && echo ok 1
echo "# at $TEST_TMP"
END
is "$status: $last" "0: 1 passed, 0 failed, 0 skipped" "a fresh directory"

out=$(TESTS=nothing-has-this-name "$run" "$TEST_TMP/good.sh" 2>&1)
is "$?: $(tail -n 1 <<<"$out")" "1: 0 passed, 1 failed, 0 skipped" \
    "a pattern that matches nothing"

out=$("$run" "$TEST_TMP/good.sh" "$TEST_TMP/bad.sh" "$TEST_TMP/crash.sh" 2>&1)
is "$?: $(tail -n 1 <<<"$out")" "1: 3 passed, 2 failed, 1 skipped" "the sum"

done_testing
