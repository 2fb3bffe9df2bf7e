#!/usr/bin/env node
// tests/e2e/opencode.test.js - steps that ask a model, by the real opencode.
// timeout 1200
// long 60
// SPDX-License-Identifier: Apache-2.0
//
// OPENCODE_SLOW=1 (make test-opencode) adds what takes minutes.
'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { ok, end } = require('../lib/tap');
const rig = require('./opencode_rig');

const { answer, ask, finding, verdicts } = rig;
const state = rig.makeState('state');
const good = 'module.exports = (a, b) => {\n  return a + b;\n};\n';
const bad = 'module.exports = (a, b) => {\n  return a - b;\n};\n';
const repo = rig.makeRepo('repo', { 'sum.js': good, 'look.md':
  'Look for what the base says.', '.berth/review.md': 'The rules of the base.' },
{ 'sum.js': bad, 'look.md': 'Look for what the change says.',
  '.berth/review.md': 'The rules of the change.' });

const textOf = (request) => JSON.stringify(request.body.messages);
const findingsOf = (ended) => (ended.step.findings || {}).findings || [];
const told = (ended) => [ended.log, ended.result && { state: ended.result.state,
  reason: ended.result.reason, message: ended.result.message,
  step: ended.step }, ended.requests.length];

function isValid(name, result) {
  const file = path.join(rig.tmp, `${name}.result.json`);
  fs.writeFileSync(file, JSON.stringify(result));
  const checked = spawnSync('node', [path.join(rig.root,
    'tests/schema/validate.js'), path.join(rig.root,
    'schemas/result.schema.json'), file], { encoding: 'utf8' });
  ok(checked.status === 0, `${name}: the result is as described`,
    checked.stderr);
}

// ---- what works -----------------------------------------------------------------

const works = {
  async finds() {
    const e = await ask('finds', { state, repo, steps: [{ opencode: {
      prompt: 'Look at the arithmetic.' } }],
    script: [answer(finding(), finding({ line: 2, end_line: 2,
      message: 'It is slow.', category: 'performance', suggestion: null })),
    verdicts(true, false)] });
    const [one] = findingsOf(e);
    ok(e.status === 0 && findingsOf(e).length === 1 && one.line === 2 &&
      one.path === 'sum.js' && one.fix.text === '  return a + b;' &&
      one.fingerprint.length === 32, 'a finding, with a suggestion', ...told(e));
    const { review, model } = e.step;
    ok(review && review.found === 2 && review.refuted === 1 &&
      review.runs === 2 && review.files === 3 && !review.failed,
    'what it took; one was refuted', ...told(e));
    ok(model && model.requests === 2 && model.input_tokens === 200 &&
      model.usd > 0, 'and what that cost', ...told(e));
    const text = textOf(e.requests[0]);
    ok(text.includes('Look at the arithmetic.') &&
      text.includes('The rules of the base.') &&
      /\+  return a - b;/.test(text), 'the model is told what, and by whose rules',
    text);
    const rules = text.indexOf('The rules of the change.');
    ok(rules < 0 || rules > text.indexOf('<<<change'),
      'those of the change are data', text);
    ok(e.log.includes('sum.js:2: error: The sum subtracts.') &&
      !e.log.includes('"fingerprint"'), 'the log is for people', ...told(e));
    isValid('finds', e.result);
  },
  async nothing() {
    const e = await ask('nothing', { state, repo, steps: [{ opencode: {
      prompt_file: 'look.md', verify: false } }], script: [answer()] });
    ok(e.status === 0 && findingsOf(e).length === 0 && e.step.review.runs === 1,
      'nothing to say', ...told(e));
    const text = textOf(e.requests[0]);
    ok(text.includes('what the base says') && text.indexOf(
      'what the change says') > text.indexOf('<<<change'),
    'the prompt is that of the base', text);
  },
  // What calls itself generated or vendored was not so on the base.
  async hides() {
    const bad = 'steal();\n';
    const hiding = rig.makeRepo('hiding', { 'gen.js': '// @generated\n1\n',
      'vendor/a/x.js': '1\n' }, { 'gen.js': '// @generated\n2\n',
      'vendor/a/x.js': '2\n', 'vendor/b.js': '3\n',
      'lib/marked.js': `// @generated\n${bad}`, 'lib/vendor/x.js': bad,
      'lib/pay.min.js': bad, 'dist/x.js': bad, 'yarn.lock': 'a\n' });
    const e = await ask('hides', { state, repo: hiding, steps: [{ opencode:
      { verify: false } }], script: [answer()] });
    const text = textOf(e.requests[0]);
    ok(e.status === 0 && ['lib/marked.js', 'lib/vendor/x.js', 'lib/pay.min.js',
      'dist/x.js'].every((name) => text.includes(name)) && e.step.review.files
      === 4, 'a change cannot hide its files from its review', ...told(e));
    ok(JSON.stringify(e.step.review.reasons) === JSON.stringify([
      { why: 'generated', files: 1 }, { why: 'lock file', files: 1 },
      { why: 'vendored', files: 2 }]) && e.step.review.left_out === 4 &&
      e.log.includes('not looked at: vendor/b.js: vendored'),
    'and what was so is counted and named', ...told(e));
    isValid('hides', e.result);
  },
  async whole() {
    const e = await ask('whole', { state, repo, ref: 'main', steps: [{ opencode:
      { whole: true, verify: false, paths: ['*.js'] } }], script: [answer()] });
    ok(e.status === 0 && e.step.review.files === 1 && e.step.review.from === null,
      'all files', ...told(e));
  },
  async command() {
    const e = await ask('command', { state, repo, steps: [{
      run: 'opencode -p "Review this code for security issues" >said.txt\n' +
        'cat said.txt; env | grep -i -e key -e secret || true\n' +
        'opencode run "And that" </dev/null', model: true }],
    script: [{ text: 'All is well.' }, { text: 'That, too.' }] });
    ok(e.status === 0 && e.log.includes('│ All is well.') &&
      e.log.includes('│ That, too.'), 'opencode -p, and opencode run',
    ...told(e));
    ok(textOf(e.requests[0]).includes('Review this code for security issues'),
      'asked what was said', ...told(e));
    ok(!e.log.includes(rig.KEY) && e.step.model.requests === 2,
      'without the key', ...told(e));
  },
  async text() {
    const e = await ask('text', { state, repo, steps: [{ opencode: {
      prompt: 'Say ${{ env.CI_CHANGE }}$(id)', output: 'text', agent: 'plan' } }],
    script: [{ text: 'Said "it".' }] });
    ok(e.status === 0 && e.log.includes('│ Said "it".') && !e.step.findings,
      'output: text', ...told(e));
    ok(textOf(e.requests[0]).includes('Say $(id)'), 'no shell sees the prompt',
      textOf(e.requests[0]));
  },
  async file() {
    const e = await ask('file', { state, repo, steps: [{ opencode: {
      prompt: 'Write a note.', file: 'notes/a.md' } },
    { run: 'cat notes/a.md' }], script: [{ text: 'A note.\nOf two lines.' }] });
    ok(e.status === 0 && e.log.includes('│ Of two lines.'), 'output: file',
      ...told(e));
  },
  async none() {
    const bare = path.join(rig.tmp, 'bare');
    fs.mkdirSync(bare, { mode: 0o711 });
    const e = await ask('none', { state: bare, repo, steps: [{ opencode: {
      prompt: 'Look' } }], script: [answer()], more: [] });
    ok(e.status === 1 && e.result.reason === 'step_failed' &&
      e.result.message.includes('there is no opencode'),
    'without opencode it is told how to get one', ...told(e));
  },
};

// ---- what fails -------------------------------------------------------------------

const NO_ANSWER = 'the model gave no answer of use';
const ofModel = (what) => `the model 'default': ${what}`;
const ofBudget = (what) => `${what} used (budget of the step, model 'default')`;
const SLACK_MS = 30000;
const FIRST_BYTE_MS = 120000;
const STALL_MS = 30000;
const refused = (e) => e.step.model.input_tokens === 0 &&
  !e.step.model.estimated;
const estimated = (e) => e.step.model.estimated;
const logs = (text) => (e) => e.log.includes(text);

// Each has one end, however slow the machine is: where a budget is meant it is
// used up long before the model's failure would be told, else it is large.
// `requests` and what is between them (`gaps`) are what is promised; `ms` is
// from the last of them, or with `of: 'step'` the step's beginning, to its end.
const failures = [
  { name: '401', script: [{ mode: 'fail', status: 401 }],
    reason: 'model_failed', requests: 1, check: refused,
    message: ofModel('the provider answers 401: the fake says 401') },
  { name: '429 with Retry-After', script: [{ mode: 'fail', status: 429,
    retry_after: 5 }, answer()], reason: null, requests: 2, gaps: [5000] },
  { name: '429 for good', script: [{ mode: 'fail', status: 429 }],
    reason: 'model_failed', requests: 3, gaps: [1000, 2000], check: refused,
    message: ofModel('the provider answers 429: the fake says 429') },
  { name: '500 for good', script: [{ mode: 'fail', status: 500 }],
    reason: 'model_failed', requests: 3, gaps: [1000, 2000], check: refused,
    message: ofModel('the provider answers 500: the fake says 500') },
  { name: 'no byte', script: [{ mode: 'hang' }], reason: 'model_failed',
    requests: 1, ms: FIRST_BYTE_MS, check: estimated,
    message: ofModel('no byte for 120 s') },
  { name: 'no byte, and less time', script: [{ mode: 'hang' }],
    budget: { time: '80s' }, reason: 'budget_exceeded', requests: 1, ms: 80000,
    of: 'step', check: estimated, message: ofBudget('all of the time, 1m20s,') },
  { name: 'a stream that is cut', script: [{ mode: 'cut', pieces: ['abc', 'd'] }],
    reason: 'model_failed', requests: 4, check: estimated,
    message: ofModel('4 answers in a row that end in the middle: POST ' +
      'http://HOST/v1/chat/completions: transfer closed with outstanding read ' +
      'data remaining') },
  { name: 'a stream that is cut, and fewer requests', script: [{ mode: 'cut',
    pieces: ['abc', 'd'] }], budget: { requests: 2 }, reason: 'budget_exceeded',
  requests: 2, check: estimated, message: ofBudget('2 of 2 requests') },
  { name: 'a stream that stalls', script: [{ mode: 'stall',
    pieces: ['abc', 'd'] }], reason: 'model_failed', requests: 1, ms: STALL_MS,
  check: estimated, message: ofModel('no byte for 30 s') },
  { name: 'a stream without content', script: [{ mode: 'empty' }],
    reason: 'model_failed', requests: 2, message: NO_ANSWER,
    check: logs("review: the model's answer is empty") },
  { name: '600 KiB of an answer', script: [{ text: answer(finding()).text +
    ' '.repeat(600 << 10) }], reason: null, requests: 1,
  check: (e) => findingsOf(e).length === 1 },
  { name: '1 MiB of an answer', script: [{ mode: 'big', bytes: 1 << 20 }],
    reason: 'model_failed', requests: 2, message: NO_ANSWER },
  { name: 'a tool, again and again', script: [{ mode: 'tools', tool: { name:
    'read', arguments: { filePath: 'sum.js' } } }], budget: { requests: 5 },
  reason: 'budget_exceeded', requests: 5, message: ofBudget('5 of 5 requests') },
  { name: 'an answer that is cut off', script: [{ mode: 'length',
    text: '{"findings": [' }], reason: 'model_failed', requests: 2,
  message: NO_ANSWER, check: (e) => !e.log.includes('empty') &&
    logs('answer was cut off at its limit of output')(e) },
  { name: 'no JSON, twice', script: [{ text: 'I find it good.' },
    { text: 'Really.' }], reason: 'model_failed', requests: 2,
  message: NO_ANSWER, check: logs("'[' or '{' expected near 'Really'") },
  { name: 'no JSON, once', script: [{ text: 'I find it good.' }, answer()],
    reason: null, requests: 2 },
  { name: 'lines that are not there', script: [answer(finding({ line: 900,
    end_line: 900, quote: 'not there' }))], reason: null, requests: 1,
  check: (e) => findingsOf(e).length === 0 && e.step.review.misplaced === 1 },
];

// What is promised, and little more; a second less, as clocks begin apart.
const lasts = (took, ms) => took >= ms - 1000 && took < ms + SLACK_MS;

async function fail({ name, script, budget, reason, message, requests, gaps = [],
  ms = 0, of, check }) {
  const e = await ask(name.replace(/[^a-z0-9]/g, '-'), { state, repo, script,
    steps: [{ opencode: { verify: false, ...(budget ? { budget } : {}) },
      timeout: '10m' }] });
  const result = e.result || {};
  const said = result.message && result.message.replace(/127[.0-9]+:\d+/, 'HOST');
  ok(result.reason === reason && said === (message ?
    `step 'review': ${message}` : null), `${name}: ${reason || 'passes'}`,
  ...told(e));
  const { model, started_at_ms: began, duration_ms: lasted } = e.step;
  ok(model && e.requests.length === requests && model.requests === requests &&
    (!check || check(e)), `${name}: the result says what it took`, ...told(e));
  const at = e.requests.map((request) => request.at);
  const took = of === 'step' ? lasted : began + lasted - at[at.length - 1];
  ok(lasts(took, ms) && gaps.every((gap, i) => lasts(at[i + 1] - at[i], gap)),
    `${name}: in time`, took, at, ...told(e));
}

// All takes minutes of processors: `make test-opencode`; `make test` has these.
const SHORT = ['finds', 'hides', 'command', '401', 'a tool, again and again',
  'no JSON, twice'];

async function main() {
  const slow = Boolean(process.env.OPENCODE_SLOW);
  const wanted = (name) => slow || SHORT.includes(name);
  const some = [...Object.entries(works).filter(([name]) => wanted(name))
    .map(([, one]) => one), ...failures
    .filter(({ name }) => wanted(name)).map((one) => () => fail(one))];
  await rig.atATime(4, some.map((one) =>
    async () => {
      try { await one(); } catch (error) { ok(false, 'no exception', error); }
    }));
  end();
}
main();
