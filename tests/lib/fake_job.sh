# tests/lib/fake_job.sh - `berth run` with the fake run-job.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh; then `fake_run BEHAVIOUR [OPTION…]`, or `fake_exec`
# in the background (see tests/fakes/run-job.js). The state is $TEST_TMP/state.

: "${tap_root:?source tap.sh first}"
BERTH_STATE_DIR=$TEST_TMP/state
fake_libexec=$TEST_TMP/libexec
mkdir -p "$fake_libexec"
ln -sf "$tap_root/tests/fakes/run-job.js" "$fake_libexec/run-job"
ln -sf "$BERTH_LIBEXEC/log-store" "$fake_libexec/log-store"
export BERTH_STATE_DIR
printf 'name: fake\nsteps:\n  - run: "true"\n' >"$TEST_TMP/fake.yml"
mkdir -p "$TEST_TMP/repo"
git -C "$TEST_TMP/repo" init -q -b main
git -C "$TEST_TMP/repo" -c user.name=Test -c user.email=test@example.org \
    commit -q --allow-empty -m first

# fake_command BEHAVIOUR [OPTION…]: sets the array fake_command
fake_command() {
    fake_command=(env "BERTH_LIBEXEC=$fake_libexec" "$BERTH_BIN" run
        --repo "$TEST_TMP/repo" --input "fake=$1" "${@:2}"
        "$TEST_TMP/fake.yml")
}

fake_run() {
    fake_command "$@"
    "${fake_command[@]}"
}

# For the background, so that $! is berth itself.
fake_exec() {
    fake_command "$@"
    exec "${fake_command[@]}"
}
