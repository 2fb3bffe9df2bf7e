#!/usr/bin/env node
// tests/integration/findings.test.js - reports of the real tools, read.
// SPDX-License-Identifier: Apache-2.0
// timeout 300
//
// ESLint writes the same problems in four formats, node and zora the same tests
// in two: what comes out must be the same. What ESLint would fix is suggested
// in the diff, and from the suggestions comes what `eslint --fix` makes.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const npm = require('../lib/npm');
const { ok: report, end } = require('../lib/tap');

const tools = process.env.BERTH_TOOLS ||
    path.resolve(__dirname, '../../build/debug/tests/tools');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'f'));
const work = path.join(tmp, 'npm');

function same(got, wanted, name) {
    report(JSON.stringify(got) === JSON.stringify(wanted), name, 'got:', got,
        'wanted:', wanted);
}

function run(command, args, options = {}) {
    // A test runner in a test runner says nothing of its own.
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const child = spawnSync(command, args, { cwd: work, encoding: 'utf8', env,
        maxBuffer: 64 << 20, ...options });
    if (child.error)
        throw child.error;
    return child;
}

function tool(args, input) {
    const child = run(path.join(tools, 'findings'), args, { input });
    if (child.status !== 0)
        throw new Error(`findings ${args}: ${child.stderr}`);
    return child.stdout;
}

function read(format, text) {
    return JSON.parse(tool(['read', format, work], text));
}

// ---- ESLint -----------------------------------------------------------------

const BAD = `var first = 1
const emoji = "\u{1f600}", used = first == 2
function unused(a) {
  let never = 'x';
  return a
}
console.log(used, emoji);
`;

const RULES = { 'no-var': 'error', 'semi': 'error', 'quotes': ['warn', 'single'],
    'eqeqeq': 'error', 'no-unused-vars': 'warn', 'prefer-const': 'error' };

function eslint(...args) {
    return run(process.execPath, [path.join(work,
        'node_modules/eslint/bin/eslint.js'), ...args]);
}

// Columns of rdjson count bytes.
function inBytes(finding) {
    const before = BAD.split('\n')[finding.line - 1]
        .slice(0, finding.column - 1);
    return { ...finding, column: Buffer.byteLength(before) + 1 };
}

function shape(findings) {
    return findings.map((f) => `${f.path}:${f.line}:${f.column} ${f.severity}`)
        .sort();
}

function testFormats() {
    const json = read('eslint', eslint('-f', 'json', 'src').stdout);
    const rules = json.findings.map((f) => f.rule);
    for (const rule of Object.keys(RULES))
        report(rules.includes(rule), `eslint: ${rule} is found`, json);
    report(json.findings.every((f) => f.tool === 'eslint' && f.message &&
        f.path === 'src/dir x/bad.js' && f.fingerprint), 'each at its place',
        json);
    report(new Set(json.findings.map((f) => f.fingerprint)).size ===
        json.findings.length, 'no two have the same fingerprint', json);

    const sarif = read('sarif',
        eslint('-f', '@microsoft/eslint-formatter-sarif', 'src').stdout);
    same(shape(sarif.findings), shape(json.findings), 'SARIF says the same');
    same(sarif.findings.map((f) => f.rule).sort(), rules.slice().sort(),
        'SARIF: by the same rules');
    report(sarif.findings.every((f) => /^https:\/\/eslint.org\//.test(f.url)),
        'SARIF: with the pages of the rules', sarif);

    const rdjson = read('rdjson', eslint('-f', 'rdjson', 'src').stdout);
    const wanted = shape(json.findings.map(inBytes));
    same(shape(rdjson.findings), wanted, 'rdjson says the same');
    const whole = JSON.parse(eslint('-f', 'rdjson', 'src').stdout);
    const lines = whole.diagnostics.map((d) => JSON.stringify(d)).join('\n');
    same(shape(read('rdjsonl', lines).findings), wanted,
        'rdjsonl says the same');

    const style = read('checkstyle', eslint('-f', 'checkstyle', 'src').stdout);
    same(shape(style.findings), shape(json.findings),
        'checkstyle says the same');
    return json;
}

// A file as it comes out if all of its suggestions are taken, one a line.
function applySuggestions(text, remarks) {
    const lines = text.split('\n');
    const taken = new Set();
    for (const remark of remarks.filter((r) => r.suggestion !== null)
        .sort((a, b) => b.line - a.line)) {
        if (taken.has(remark.start_line))
            continue;
        taken.add(remark.start_line);
        lines.splice(remark.start_line - 1, remark.line - remark.start_line + 1,
            ...remark.suggestion.split('\n'));
    }
    return lines.join('\n');
}

function newFileDiff(name, text) {
    const lines = text.split('\n').slice(0, -1);
    return `diff --git "a/${name}" "b/${name}"\nnew file mode 100644\n` +
        `--- /dev/null\n+++ "b/${name}"\n@@ -0,0 +1,${lines.length} @@\n` +
        lines.map((line) => `+${line}\n`).join('');
}

function testSuggestions(format, formatter) {
    const name = 'src/dir x/bad.js', full = path.join(work, name);
    const patch = path.join(tmp, 'bad.diff');
    let text = BAD;
    // Fixes of one line must not be taken together: so as ESLint does, again
    // until there are none.
    for (let round = 0; round < 6; round++) {
        fs.writeFileSync(full, text);
        fs.writeFileSync(patch, newFileDiff(name, text));
        const got = JSON.parse(tool(['remarks', format, patch, work],
            eslint('-f', formatter, 'src').stdout));
        if (round === 0) {
            report(got.every((r) => r.where === 'inline'),
                `${format}: all are inline`,
                got);
            report(got.some((r) => r.body.includes('```suggestion\n')),
                'with a suggestion that people see', got[0].body);
        }
        const next = applySuggestions(text, got);
        if (next === text)
            break;
        text = next;
    }
    fs.writeFileSync(full, BAD);
    eslint('--fix', 'src');
    same(text, fs.readFileSync(full, 'utf8'),
        `${format}: the suggestions make of it what eslint --fix makes`);
    report(text !== BAD && text.includes('\u{1f600}\', used'),
        'and that is something, behind a character of two units', text);
    fs.writeFileSync(full, BAD);
}

function testMoved(before) {
    const file = path.join(work, 'src/dir x/bad.js');
    fs.writeFileSync(file, `// a line\n\n${BAD}`);
    const patch = path.join(tmp, 'moved.diff');
    const prints = (text) => {
        fs.writeFileSync(file, text);
        fs.writeFileSync(patch, newFileDiff('src/dir x/bad.js', text));
        return JSON.parse(tool(['remarks', 'eslint', patch, work],
            eslint('-f', 'json', 'src').stdout))
            .map((r) => r.body.split('\n')[0]);
    };
    // Not of the first line: its neighbour is another.
    const first = prints(BAD), second = prints(`// a line\n\n${BAD}`);
    const stay = second.filter((mark) => first.includes(mark));
    report(first.length === before.findings.length &&
        stay.length >= first.length - 2 && stay.length > 4,
        'moved down, they have the same marks', first, second);
    fs.writeFileSync(file, BAD);
}

// ---- tests ------------------------------------------------------------------

const NODE_TESTS = `const { test, describe, it } = require('node:test');
const assert = require('assert');
test('adds # up', () => assert.strictEqual(1 + 1, 3));
test('fine', () => {});
test('later', { skip: 'not now' }, () => {});
test('one day', { todo: true }, () => { throw new Error('not yet'); });
describe('a suite', () => {
  it('fails inside', () => {
    throw new Error('boom');
  });
  it('is well', () => {});
});
`;

const ZORA_TESTS = `import { test } from 'zora';
test('sums', (t) => {
  t.equal(1 + 1, 2, 'is two');
  t.equal(1 + 1, 3, 'is three');
});
`;

function brief(got) {
    return got.findings.map((f) => `${f.path}:${f.line} ${f.rule}`);
}

function testNode() {
    const args = (reporter) => ['--test', `--test-reporter=${reporter}`,
        't/sum.test.js'];
    const tap = read('tap', run(process.execPath, args('tap')).stdout);
    const junit = read('junit', run(process.execPath, args('junit')).stdout);
    const wanted = ['t/sum.test.js:3 adds # up',
        't/sum.test.js:9 fails inside'];
    same(brief(tap), wanted, 'node, TAP: the two tests that fail');
    same(brief(junit).filter((b) => !b.includes('one day')), wanted,
        'node, JUnit: the same');
    same(tap.tests, { passed: 2, failed: 2, skipped: 2 },
        'node, TAP: all are counted');
    report(tap.findings[1].message === 'boom' &&
        tap.findings[1].why.includes('sum.test.js:9'),
        'with message and trace', tap);
    same(tap.findings.map((f) => f.fingerprint),
        junit.findings.filter((f) => f.rule !== 'one day')
            .map((f) => f.fingerprint), 'the fingerprints are the same');
    const summary = tool(['summary', 'tap', work],
        run(process.execPath, args('tap')).stdout);
    report(summary.includes('2 tests passed, 2 failed, 2 skipped.') &&
        summary.includes('| Failed test | `t/sum.test.js:9` |'),
        'the summary has both', summary);
}

function testZora() {
    const out = run(process.execPath, ['t/zora.mjs']).stdout;
    const got = read('tap', out);
    same(brief(got), ['t/zora.mjs:4 is three'], 'zora: the assertion that fails');
    report(got.tests.failed === 1 && got.tests.passed === 1 &&
        got.findings[0].why.includes('expected: 3'), 'zora: and why', got, out);
}

function main() {
    npm.into(path.join(__dirname, '../findings'), work);
    for (const dir of ['src/dir x', 't'])
        fs.mkdirSync(path.join(work, dir), { recursive: true });
    fs.writeFileSync(path.join(work, '.eslintrc.json'), JSON.stringify({
        root: true, env: { node: true, es2022: true }, rules: RULES,
        parserOptions: { ecmaVersion: 2022 } }));
    fs.writeFileSync(path.join(work, 'src/dir x/bad.js'), BAD);
    fs.writeFileSync(path.join(work, 't/sum.test.js'), NODE_TESTS);
    fs.writeFileSync(path.join(work, 't/zora.mjs'), ZORA_TESTS);
    const found = testFormats();
    testSuggestions('eslint', 'json');
    testSuggestions('rdjson', 'rdjson');
    testMoved(found);
    testNode();
    testZora();
    end();
}

main();
