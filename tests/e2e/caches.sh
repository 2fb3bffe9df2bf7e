#!/bin/bash
# tests/e2e/caches.sh - cache: as it is described, and a worker that looks after it.
# timeout 120
# SPDX-License-Identifier: Apache-2.0
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/job.sh
. "$(dirname "$0")/../lib/job.sh"
# shellcheck source=tests/lib/up.sh
. "$(dirname "$0")/../lib/up.sh"
first_dir=root/0 # of an entry of the cache: what it keeps first

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset BERTH_REDIS BERTH_CONFIG
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"

# ---- the example of docs/pipelines.md, without a network ---------------------
mkdir repo
echo '{"name":"app","version":"1.0.0"}' >repo/package.json
echo '{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"}}}' \
    >repo/package-lock.json
make_repo repo
{
    echo "name: app"
    echo "steps:"
    sed -n '/^### Caches/,/^###* In the background/p' "$tap_root/docs/pipelines.md" |
        sed -n '/^```yaml/,/^```/p' | grep -v '^```' | sed 's/^/  /'
    echo '  - run: mkdir -p ~/.npm; echo x >>~/.npm/runs; wc -l <~/.npm/runs'
} >app.yml
ok "the documentation's example is valid" "$BERTH_BIN" validate app.yml
job app.yml
is "$job_status $(result .steps[1].kind) $(result .steps[1].outcome)" "0 cache passed" \
    "it passes"
is_valid_result "the result is as described"
like "$(cat job.err)" "cache: miss 'npm-[0-9a-f]{40}'" "the first time it is a miss"
like "$(cat job.err)" "cache: saved 'npm-[0-9a-f]{40}', .* files" "and saved"
job app.yml
like "$(cat job.err)" "cache: hit 'npm-[0-9a-f]{40}' from branch main" "then it is a hit"
like "$(cat job.err)" $'\n[^\n]*2\n' "with what the first one left"

# ---- what is wrong is told with its place -------------------------------------
cat >wrong.yml <<'END'
steps:
  - cache:
      paths: [target, ../above]
      restore-keys: a
END
"$BERTH_BIN" validate wrong.yml >wrong.out 2>&1
is $? 1 "a wrong one is refused"
like "$(cat wrong.out)" "wrong.yml:3:23: .*'\.\.' leads out of the workspace" "with the path"
like "$(cat wrong.out)" "wrong.yml:4:7: .*write restore_keys" "other tools' words"
like "$(cat wrong.out)" "wrong.yml:[0-9]+:[0-9]+: .*key" "and what is missing"

# ---- a worker reads it again --------------------------------------------------
BERTH_CACHE_CHECK=1s up
submitted() {
    timeout 60 "$BERTH_BIN" submit --follow - >submit.out 2>&1 <<END
id: $1
pipeline:
  name: app
  steps:
    - checkout:
    - cache: { key: worker, paths: kept }
    - run: mkdir -p kept; echo "$1" >>kept/jobs; tr '\n' ' ' <kept/jobs
repo: $TEST_TMP/repo
END
}
ok "a worker's job keeps something" submitted one
ok "the next one's" submitted two
like "$(cat submit.out)" "one two" "job has it"
kept=$(find "$BERTH_STATE_DIR/cache/caches" -type d -name '*-worker' | head -n 1)
ok "it is in the state directory" test -f "$kept/$first_dir/jobs"
[ ! -f "$kept/$first_dir/jobs" ] || echo other >"$kept/$first_dir/jobs"
wait_for grep -q "cache: removed 1 of" up.log
like "$(cat up.log)" "cache: removed 1 of [0-9]+ that were read: damaged" \
    "what is damaged is found unasked, and told"
not_ok "and removed" test -e "$kept"
ok "the next job" submitted three
like "$(cat submit.out)" "cache: miss 'worker'" "begins anew"
done_testing
