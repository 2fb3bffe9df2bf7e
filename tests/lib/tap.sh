# tests/lib/tap.sh - TAP for tests that are bash scripts.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it; then:
#   plan N                  say how many tests there are (or leave it out)
#   ok NAME COMMAND…        passes when the command exits with 0; it runs in
#                           this shell, its output is shown when it fails
#   not_ok NAME COMMAND…    passes when the command exits with 1 to 125
#   is GOT WANTED NAME      passes when both strings are equal
#   like GOT REGEX NAME     passes when the extended regex matches
#   skip NAME WHY           counts a test that cannot run here, and says why
#   diag TEXT…              a comment
#   wait_for COMMAND…       until it succeeds; fails after 60 s, with its output
#   done_testing            prints the plan; its status is that of the script
#
# The runner gives TEST_TMP, BERTH_BIN and BERTH_LIBEXEC; run alone, a script
# gets a directory and the debug build.

tap_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tap_count=0
tap_failed=0
tap_planned=
if [ -z "${TEST_TMP:-}" ]; then
    TEST_TMP=$(mktemp -d)
    trap 'rm -rf "$TEST_TMP"' EXIT
fi
: "${BERTH_BIN:=$tap_root/build/debug/bin/berth}"
: "${BERTH_LIBEXEC:=$tap_root/build/debug/libexec/berth}"
export TEST_TMP BERTH_BIN BERTH_LIBEXEC

plan() {
    tap_planned=$1
    printf '1..%s\n' "$1"
}

diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

# tap_result STATUS NAME
tap_result() {
    tap_count=$((tap_count + 1))
    if [ "$1" -eq 0 ]; then
        printf 'ok %d - %s\n' "$tap_count" "$2"
    else
        tap_failed=$((tap_failed + 1))
        printf 'not ok %d - %s\n' "$tap_count" "$2"
    fi
}

# tap_command COMMAND…: sets tap_status; output in $TEST_TMP/.tap
tap_command() {
    tap_status=0
    if [ $# -eq 0 ]; then
        echo "no command given" >"$TEST_TMP/.tap"
        tap_status=127
        return
    fi
    "$@" >"$TEST_TMP/.tap" 2>&1 || tap_status=$?
}

ok() {
    local name=$1
    shift
    tap_command "$@"
    tap_result "$tap_status" "$name"
    if [ "$tap_status" -ne 0 ]; then
        diag "exit $tap_status of: $*"
        tail -n 60 "$TEST_TMP/.tap" | sed 's/^/#   /'
    fi
}

not_ok() {
    local name=$1 verdict=1
    shift
    tap_command "$@"
    if [ "$tap_status" -ge 1 ] && [ "$tap_status" -le 125 ]; then
        verdict=0
    fi
    tap_result "$verdict" "$name"
    if [ "$verdict" -ne 0 ]; then
        diag "wanted exit 1 to 125, got $tap_status of: $*"
        tail -n 60 "$TEST_TMP/.tap" | sed 's/^/#   /'
    fi
}

is() {
    local verdict=1
    [ "$1" != "$2" ] || verdict=0
    tap_result "$verdict" "$3"
    if [ "$verdict" -ne 0 ]; then
        diag "   got: $1"
        diag "wanted: $2"
    fi
}

like() {
    local verdict=1
    ! [[ $1 =~ $2 ]] || verdict=0
    tap_result "$verdict" "$3"
    if [ "$verdict" -ne 0 ]; then
        diag "       got: $1"
        diag "to match: $2"
    fi
}

wait_for() {
    local end=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            "$@"
            return
        fi
        sleep 0.05
    done
}

skip() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

done_testing() {
    if [ -z "$tap_planned" ]; then
        printf '1..%d\n' "$tap_count"
    elif [ "$tap_planned" -ne "$tap_count" ]; then
        diag "planned $tap_planned tests, ran $tap_count"
        return 1
    fi
    [ "$tap_failed" -eq 0 ]
}
