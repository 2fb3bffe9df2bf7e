#!/bin/bash
# tests/e2e/results.sh - results: of steps, with node's own reports and worse ones.
# timeout 120
# SPDX-License-Identifier: Apache-2.0
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/job.sh
. "$(dirname "$0")/../lib/job.sh"
# shellcheck source=tests/lib/up.sh
. "$(dirname "$0")/../lib/up.sh"

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset BERTH_REDIS BERTH_CONFIG
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"

# Some values of the result, with spaces between.
values() {
    node -e '
        const doc = JSON.parse(require("fs").readFileSync(process.argv[1]));
        console.log(process.argv.slice(2).map((path) => {
            const v = path.match(/[^.[\]]+/g).reduce((o, k) => o?.[k], doc);
            return typeof v === "object" ? JSON.stringify(v) : String(v);
        }).join(" "));
    ' "$TEST_TMP/result.json" "$@"
}

mkdir -p repo/app/lib repo/lint
cat >repo/app/lib/sum.js <<'END'
exports.sum = (a, b) => a - b;
END
cat >repo/app/sum.test.js <<'END'
const test = require('node:test');
const assert = require('node:assert');
const { sum } = require('./lib/sum.js');
test('sums', () => {
  assert.strictEqual(sum(1, 2), 3);
});
test('is there', () => assert.ok(sum));
END
cat >repo/lint/eslint.json <<'END'
[{"filePath":"/workspace/app/lib/sum.js","messages":[
  {"ruleId":"no-bad","severity":2,"message":"bad \u001b[31mthing\u001b[0m","line":1,"column":25}]}]
END
cat >repo/lint/out.sarif <<'END'
{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan"}},"results":[
  {"ruleId":"S1","level":"warning","message":{"text":"doubtful"},"locations":[
    {"physicalLocation":{"artifactLocation":{"uri":"app/lib/sum.js"},"region":{"startLine":1}}}]},
  {"ruleId":"S2","level":"note","message":{"text":"elsewhere"},"locations":[
    {"physicalLocation":{"artifactLocation":{"uri":"/etc/shadow"}}}]}]}]}
END
make_repo repo

# ---- reports that are as they should be ---------------------------------------
cat >good.yml <<'END'
steps:
  - checkout:
  - run: node --test --test-reporter=tap
    working-directory: app
    results: tap
    continue-on-error: true
  - run: node --test --test-reporter=junit --test-reporter-destination=../junit.xml
    working-directory: app
    results: { format: junit, files: "*.xml" }
    continue-on-error: true
  - run: echo told
    results:
      - { format: eslint, files: lint/eslint.json }
      - { format: sarif, files: [none.sarif, "lint/*.sarif"] }
  - run: 'true'
END
job good.yml
is "$job_status $(result .state)" "0 passed" "a step that fails is allowed to"
is_valid_result "the result is as described"
result .steps[1].findings >findings.json
ok "and what was found as findings.schema.json says" node "$tap_root/tests/schema/validate.js" \
    "$tap_root/schemas/findings.schema.json" findings.json
is "$(values .steps[1].outcome .steps[1].findings.tests)" \
    'failed {"passed":1,"failed":1,"skipped":0}' "TAP of a step that failed: its tests"
one=".steps[1].findings.findings[0]"
is "$(values "$one.kind" "$one.rule" "$one.path" "$one.line")" "test sums app/sum.test.js 5" \
    "and where one failed"
is "$(result .steps[2].findings.tests)" '{"passed":1,"failed":1,"skipped":0}' "JUnit of a file"
is "$(result .steps[2].findings.findings[0].path)" "app/sum.test.js" "with the same place"
one=".steps[3].findings.findings"
is "$(result .steps[3].findings.findings.length)" 3 "two reports of one step"
is "$(values "${one}[0].tool" "${one}[0].path" "${one}[0].line" "${one}[0].column")" \
    "eslint app/lib/sum.js 1 25" "ESLint's"
is "$(values "${one}[1].tool" "${one}[1].severity")" "scan warning" "SARIF's"
is "$(values "${one}[2].path" .steps[3].findings.strayed)" "undefined 1" \
    "a path out of the workspace is none"
is "$(result .steps[4].findings)" undefined "a step without results has no findings"
like "$(cat job.err)" "app/lib/sum.js:1:25: error: bad thing"$'\n' "people see them, harmless"
like "$(cat job.err)" "found: 3 errors, 1 warning, 1 info; tests: 2 passed, 2 failed" "and counted"
like "$(cat job.err)" $'\n[^\n]*not ok 1 - sums' "the log has the report, too"

# ---- and others ----------------------------------------------------------------
ln -s /etc/hostname repo/linked.xml
make_repo repo second
cat >bad.yml <<'END'
steps:
  - checkout:
  - run: |
      echo '<testsuite><testcase name="a"><failure message="first"/></testcase><broken' >broken.xml
      head -c 17000000 /dev/zero >large.xml
    results:
      - { format: junit, files: broken.xml }
      - { format: junit, files: linked.xml }
      - { format: junit, files: large.xml }
      - { format: junit, files: "no*.xml" }
      - sarif
  - run: |
      mkfifo pipe.json
      printf '[]' >"$(printf 'a\nberth: forged.json')"
    results: { format: eslint, files: "*.json" }
  - run: |
      echo 'not ok 1 - early'
      head -c 9000000 /dev/zero | tr '\0' '#' | fold -w 1000
      echo 'not ok 2 - late'
    results: tap
  - run: |
      [ -e again ] || { touch again; echo 'not ok 1 - once'; exit 1; }
      echo 'ok 1 - then'; echo 1..1
    results: tap
    retry: 1
  - run: |
      seq 3000 | sed 's/.*/{"message":"m &","location":{"path":"f.c"}}/'
    results: rdjsonl
  - run: |
      echo 'not ok 1 - slow'
      sleep 60
    results: tap
    timeout: 1s
    continue-on-error: true
  - run: 'echo "not ok 1 - $TOKEN is wrong"'
    secrets: [TOKEN]
    results: tap
  - run: 'kill -9 $$'
    results: { format: tap, files: nothing }
    continue-on-error: true
END
TOKEN=s3cr3t-w0rds job --secret TOKEN bad.yml
is "$job_status $(result .state)" "0 passed" "reports that cannot be read fail no step"
is_valid_result "that result is as described"
err=$(cat job.err)
is "$(result .steps[1].findings.findings[0].message)" first "what stood in front of the break counts"
like "$err" "results: broken.xml: junit: " "which is told"
like "$err" "results: no file fits 'linked.xml'" "a link out of the workspace is no file"
like "$err" "results: not all files are read: .*large.xml" "nor is one that is too large read"
like "$err" "results: no file fits 'no\*.xml'" "nor one that is not there"
like "$err" "results: standard output: sarif: " "nothing is no SARIF"
not_ok "a name forges no line" grep -q "^[^a-z]*berth: forged" job.err
is "$(values .steps[3].findings.findings[0].rule .steps[3].findings.tests.failed)" \
    "early 1" "of a long output the beginning counts"
like "$err" "results: only the first 8MiB of standard output are read" "and it is told"
is "$(values .steps[4].attempts .steps[4].findings.findings .steps[4].findings.tests.passed)" \
    "2 [] 1" "the last attempt counts"
is "$(($(result .steps[5].findings.findings.length) + $(result .steps[5].findings.overflow)))" 3000 \
    "what is too much is counted"
is "$(values .steps[6].reason .steps[6].findings.findings[0].rule)" "timed_out slow" \
    "what was told in time counts"
like "$err" $'\n  \\+[0-9]+ more' "people see the first ones"
is "$(result .steps[7].findings.findings[0].rule)" "*** is wrong" "secrets are masked"
not_ok "everywhere" grep -q s3cr3t-w0rds result.json job.err
is "$(result .steps[8].signal)" 9 "how a step ended stays as it was"

# ---- of a fork, by a worker ------------------------------------------------------
up
timeout 60 "$BERTH_BIN" submit --wait - >submit.out 2>&1 <<END
id: forked
trust: fork
repo: $TEST_TMP/repo
pipeline:
  steps:
    - checkout:
    - run: cat lint/eslint.json
      results: eslint
END
is $? 0 "a fork's job has results, too"
"$BERTH_BIN" status forked >status.out 2>&1
like "$(cat status.out)" "found: 1 error"$'\n'"  app/lib/sum.js:1:25: error: bad thing" \
    "and status shows them"
up_end TERM
is "$(traces)" "" "nothing is left behind"
is "$(find "$BERTH_STATE_DIR" -name '*.results' | head -n 1)" "" "no copy of a file either"
done_testing
