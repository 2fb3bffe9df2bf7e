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

const NO_ANSWER = /the model gave no answer of use/;
const failures = [
  { name: '401', script: [{ mode: 'fail', status: 401 }],
    reason: 'model_failed', message: /401/, requests: 1 },
  { name: '429 with Retry-After', script: [{ mode: 'fail', status: 429,
    retry_after: 1 }, answer()], reason: null, requests: 2 },
  { name: '429 for good', script: [{ mode: 'fail', status: 429 }],
    reason: 'model_failed', message: /429/, requests: 8 },
  { name: '500 for good', script: [{ mode: 'fail', status: 500 }],
    reason: 'model_failed', message: /500/, requests: 8 },
  { name: 'no byte', script: [{ mode: 'hang' }], budget: { time: '40s' },
    reason: 'budget_exceeded', message: /time/, requests: 2 },
  { name: 'a stream that is cut', script: [{ mode: 'cut', text: 'a'.repeat(9000),
    pieces: ['abc', 'def'] }], budget: { requests: 6 },
  reason: /budget_exceeded|model_failed/, requests: 8 },
  { name: 'a stream that stalls', script: [{ mode: 'stall', pieces: ['abc', 'd'] }],
    budget: { time: '40s' }, reason: 'budget_exceeded', message: /time/,
    requests: 2 },
  { name: 'a stream without content', script: [{ mode: 'empty' }],
    reason: /budget_exceeded|model_failed/, requests: 12 },
  { name: '1 MiB of an answer', script: [{ mode: 'big', bytes: 1 << 20 }],
    budget: { requests: 6 }, reason: /budget_exceeded|model_failed/,
    requests: 6 },
  { name: 'a tool, again and again', script: [{ mode: 'tools', tool: { name:
    'read', arguments: { filePath: 'sum.js' } } }], budget: { requests: 5 },
  reason: 'budget_exceeded', message: /requests/, requests: 5 },
  { name: 'an answer that is cut off', script: [{ mode: 'length',
    text: '{"findings": [' }], reason: 'model_failed', message: NO_ANSWER,
  requests: 2 },
  { name: 'no JSON, twice', script: [{ text: 'I find it good.' },
    { text: 'Really.' }], reason: 'model_failed', message: NO_ANSWER,
  requests: 2 },
  { name: 'no JSON, once', script: [{ text: 'I find it good.' }, answer()],
    reason: null, requests: 2 },
  { name: 'lines that are not there', script: [answer(finding({ line: 900,
    end_line: 900, quote: 'not there' }))], reason: null, requests: 1,
  check: (e) => findingsOf(e).length === 0 && e.step.review.misplaced === 1 },
];

const fits = (wanted, value) => (wanted instanceof RegExp ?
  wanted.test(String(value)) : wanted === value);

async function fail({ name, script, budget, reason, message, requests, check }) {
  const e = await ask(name.replace(/[^a-z0-9]/g, '-'), { state, repo, script,
    steps: [{ opencode: { verify: false, ...(budget ? { budget } : {}) },
      timeout: '10m' }] });
  const result = e.result || {};
  ok(fits(reason, result.reason) && (!message || message.test(result.message)),
    `${name}: ${reason || 'passes'}`, ...told(e));
  ok(e.ms < 600000 && e.requests.length <= requests &&
    (e.requests.length > 0 || budget && budget.time),
    `${name}: soon, and within its budget`, e.ms, ...told(e));
  ok(e.step.model && e.step.model.requests <= requests && (!check || check(e)),
    `${name}: the result says what it took`, ...told(e));
}

// All takes minutes of processors: `make test-opencode`; `make test` has these.
const SHORT = ['finds', 'hides', 'command', '401', 'a tool, again and again',
  'no JSON, twice'];

async function main() {
  const slow = Boolean(process.env.OPENCODE_SLOW);
  const wanted = (name) => slow || SHORT.includes(name);
  const last = { name: 'no byte, no budget', script: [{ mode: 'hang' }],
    reason: /model_failed|timed_out/, requests: 8 };
  const some = [...Object.entries(works).filter(([name]) => wanted(name))
    .map(([, one]) => one), ...[...failures, last]
    .filter(({ name }) => wanted(name)).map((one) => () => fail(one))];
  await rig.atATime(4, some.map((one) =>
    async () => {
      try { await one(); } catch (error) { ok(false, 'no exception', error); }
    }));
  end();
}
main();
