#!/usr/bin/env node
// tests/e2e/review.test.js - berth review, berth batch, and pipelines that ship.
// timeout 900
// long 60
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { ok, end } = require('../lib/tap');
const rig = require('./opencode_rig');

const { KEY, answer, berth, finding, makeConfig, startModel, verdicts } = rig;
const state = rig.makeState('state');
const good = 'module.exports = (a, b) => {\n  return a + b;\n};\n';
const bad = 'module.exports = (a, b) => {\n  return a - b;\n};\n';
const repo = rig.makeRepo('repo', { 'sum.js': good }, { 'sum.js': bad });
const project = rig.makeRepo('project', { 'sum.js': bad, 'package.json':
  '{"name":"p","version":"1.0.0","scripts":{"test":"echo tests-ran"}}',
'package-lock.json': '{"name":"p","version":"1.0.0","lockfileVersion":3,' +
  '"requires":true,"packages":{"":{"name":"p","version":"1.0.0"}}}' }, {});

function berthIn(home, args, options = {}) {
  const env = { ...process.env, BERTH_STATE_DIR: home,
    GIT_CONFIG_GLOBAL: '/dev/null' };
  delete env.BERTH_CONFIG;
  const child = spawn(berth, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const ended = { child, out: '', err: '' };
  child.stdout.on('data', (data) => {
    ended.out += data;
    if (options.onOut) options.onOut(ended);
  });
  child.stderr.on('data', (data) => { ended.err += data; });
  ended.done = new Promise((done) => child.on('close', (status) =>
    done({ ...ended, status, out: ended.out, err: ended.err })));
  return ended;
}

// One command before a fake of its own.
async function before(name, script, args, model = {}) {
  const fake = await startModel({ key: KEY, script: [...script] });
  const ended = await berthIn(state, [...args, '--config',
    makeConfig(name, fake, model)]).done;
  await fake.stop();
  return { ...ended, requests: fake.requests };
}

const told = (e) => [`status ${e.status}`, e.out, e.err,
  e.requests && e.requests.length];
const found = [answer(finding()), verdicts(true)];
const review = (name, more, script = found, model) => before(name, script,
  ['review', '-v', '--repo', repo, '--ref', 'topic', ...more], model);

// Some document obeys its schema.
function isValid(schema, name, text) {
  const file = path.join(rig.tmp, `${name}.checked.json`);
  fs.writeFileSync(file, text);
  const checked = spawnSync('node', [path.join(rig.root,
    'tests/schema/validate.js'), path.join(rig.root, 'schemas', schema), file],
  { encoding: 'utf8' });
  ok(checked.status === 0, `${name}: as ${schema} says`, checked.stderr, text);
}

const cases = [
  async function text() {
    const e = await review('text', ['--base', 'main']);
    ok(e.status === 1 && e.out === 'sum.js:2: error: The sum subtracts.\n' +
      '    It is never right.\n    suggestion:\n        return a + b;\n',
    'text, and status 1', ...told(e));
    ok(/reviewed: 1 file, [0-9a-f]{7}\.\.\.[0-9a-f]{7}; 2 requests/.test(e.err),
      'what it took is told apart', ...told(e));
  },
  async function json() {
    const e = await review('json', ['--format', 'json', '--fail-on', 'never',
      '--prompt', 'Look at the arithmetic.', '--max', '3']);
    ok(e.status === 0 && JSON.parse(e.out).findings[0].line === 2,
      'JSON, and status 0 with --fail-on never', ...told(e));
    isValid('findings.schema.json', 'json', e.out);
    ok(JSON.stringify(e.requests[0].body).includes('Look at the arithmetic.'),
      'the prompt is the one that was given');
  },
  async function rdjson() {
    const e = await review('rdjson', ['--format', 'rdjson']);
    const [one] = JSON.parse(e.out).diagnostics;
    ok(e.status === 1 && one.location.path === 'sum.js' &&
      one.location.range.start.line === 2 && one.severity === 'ERROR' &&
      one.suggestions[0].text === '  return a + b;', 'RDJSON', ...told(e));
  },
  async function sarif() {
    const e = await review('sarif', ['--format', 'sarif'],
      [answer(finding({ severity: 'warning' })), verdicts(true)]);
    const [one] = JSON.parse(e.out).runs[0].results;
    ok(e.status === 1 && one.level === 'warning' && one.locations[0]
      .physicalLocation.artifactLocation.uri === 'sum.js', 'SARIF', ...told(e));
  },
  async function markdown() {
    const e = await review('md', ['--format', 'md', '--fail-on', 'error'],
      [answer(finding({ severity: 'warning' })), verdicts(true)]);
    ok(e.status === 0 && /1 warning/.test(e.out) && /sum\.js/.test(e.out),
      'Markdown, and status 0 for less than --fail-on', ...told(e));
  },
  async function fails() {
    const e = await review('fails', [], [{ mode: 'fail', status: 401 }]);
    ok(e.status === 3 && /model/.test(e.err), 'a model that refuses: status 3',
      ...told(e));
  },
  async function python() {
    const e = await before('python', [{ text: 'Here:\r\n```python\r\n' +
      'import sys, socket\nprint("hi")\nprint(" ```` ")\n' +
      'try: socket.create_connection(("192.0.2.1", 80), 3)\n' +
      'except OSError: print("no network")\n' +
      'sys.stderr.write("oh")\nsys.exit(3)\n```\nrm -rf /\n```\n' }],
    ['run', 'codegen', '--repo', repo, '-i', 'prompt=Say hi.']);
    const shown = /\{"output".*\}/.exec(e.out);
    ok(e.status === 0 && shown && JSON.stringify(JSON.parse(shown[0])) ===
      JSON.stringify({ output: 'hi\n ```` \nno network\n', error: 'oh',
        exit_code: 3 }), 'a program in Python that fails', ...told(e));
    ok(JSON.stringify(e.requests[0].body).includes('Say hi.'),
      'was asked for as it was said');
  },
  async function node() {
    const e = await before('node', [{ text: '~~~~js\nconsole.log("~~~");\n' +
      'console.log("x".repeat(100000));\nprocess.kill(process.pid, "SIGKILL");' +
      '\n~~~' }],
    ['run', 'codegen', '--repo', repo, '-i', 'prompt=x', '-i', 'language=node',
      '--quiet', '--keep']);
    const kept = /\/\S*kept\S*/.exec(e.out + e.err);
    ok(e.status === 0, 'one in Node with a fence that has no end', ...told(e),
      kept && kept[0]);
  },
  async function wrong() {
    const e = await before('wrong', [{}], ['run', 'codegen', '--repo', repo,
      '-i', 'prompt=x', '-i', 'language=cobol']);
    ok(e.status === 1 && !e.requests.length && /cobol/.test(e.out),
      'what is no language is not asked for', ...told(e));
  },
  async function nightly() {
    const e = await before('nightly', [answer(finding({ line: 2 })),
      verdicts(true)], ['run', 'nightly', '--repo', project, '--json']);
    const result = JSON.parse(e.out || '{}');
    const [, reviewed = {}, , last = {}] = result.steps || [];
    ok(e.status === 0 && /tests-ran/.test(e.err) && last.outcome === 'passed' &&
      reviewed.name === 'review' && reviewed.review &&
      reviewed.review.files >= 2 && reviewed.findings.findings.length === 1 &&
      !/warning/.test(e.err), 'nightly: all files, then tests',
    ...told(e));
  },
];

// ---- what is wrong is told before anything starts -------------------------------

async function refusals() {
  const none = path.join(rig.tmp, 'none.json');
  fs.writeFileSync(none, '{}');
  const at = ['review', '--repo', repo, '--ref', 'topic', '--config'];
  const model = makeConfig('refusals', { url: 'http://127.0.0.1:9/v1' });
  const empty = path.join(rig.tmp, 'empty');
  fs.mkdirSync(empty, { mode: 0o711 });
  let e = await berthIn(state, [...at, none]).done;
  ok(e.status === 2 && /models:\n {2}- name/.test(e.err) && e.err.includes(none),
    'no model: what to write where', ...told(e));
  e = await berthIn(state, [...at, model, '--model', 'other']).done;
  ok(e.status === 2 && /no model 'other'/.test(e.err), 'no such model',
    ...told(e));
  if (!process.env.PATH.split(':').some((d) =>
    fs.existsSync(path.join(d, 'opencode')))) {
    e = await berthIn(empty, [...at, model]).done;
    ok(e.status === 2 && /berth setup opencode/.test(e.err), 'no opencode',
      ...told(e));
  }
  for (const more of [['--format', 'xml'], ['--fail-on', 'bad'], ['--max', '0'],
    ['--severity', 'never'], ['--base', 'nowhere']]) {
    e = await berthIn(state, [...at, model, ...more]).done;
    ok(e.status === 2 && !e.out, `wrong: ${more.join(' ')}`, ...told(e));
  }
  e = await berthIn(state, ['review', '--repo', repo, '--ref', 'main',
    '--format', 'json', '--config', model]).done;
  ok(e.status === 0 && JSON.parse(e.out).findings.length === 0 &&
    /nothing to review/.test(e.err), 'nothing new is nothing found', ...told(e));
}

// ---- many -----------------------------------------------------------------------

async function batch() {
  const home = rig.makeState('many');
  const out = path.join(rig.tmp, 'out');
  const list = path.join(rig.tmp, 'list.yml');
  const fake = await startModel({ key: KEY, script: [answer()] });
  const config = makeConfig('many', fake);
  const up = berthIn(home, ['up', '--config', config]);
  fs.writeFileSync(list, JSON.stringify({ prompt: 'Look at sums.', jobs:
    ['one', 'two', 'three'].map((name) => ({ name, repo: `${repo}`,
      ref: 'main', paths: name === 'two' ? ['*.md'] : ['*.js'] })) }));
  const args = ['batch', list, '--out', out, '--config', config];
  for (let i = 0; i < 600 && (await berthIn(home, ['queue', '--config',
    config]).done).status; i++) await new Promise((go) => setTimeout(go, 200));
  const has = (name) => fs.existsSync(path.join(out, name));

  // Killed when the first has its files.
  const first = berthIn(home, args, { onOut: (e) => {
    if (/^one:/m.test(e.out)) e.child.kill('SIGKILL');
  } });
  let e = await first.done;
  ok(e.status === null && has('one.findings.json') && has('one.summary.md') &&
    !has('summary.md'), 'killed in the middle', ...told(e));
  const written = fs.statSync(path.join(out, 'one.summary.md')).mtimeMs;
  e = await berthIn(home, args).done;
  ok(e.status === 0 && /^three: no findings$/m.test(e.out) &&
    has('three.findings.json') && has('summary.md') &&
    fs.statSync(path.join(out, 'one.summary.md')).mtimeMs === written,
  'begun again it does the rest', ...told(e));
  ok(fake.requests.length === 2, 'and asks nothing twice; of no files nothing',
    fake.requests.length);
  e = await berthIn(home, args).done;
  ok(e.status === 0 && fake.requests.length === 2, 'done is done', ...told(e));
  fs.writeFileSync(list, '{"jobs": [{"name": "../x", "repo": "/r"}]}');
  e = await berthIn(home, args).done;
  ok(e.status === 2 && /needs a name/.test(e.err), 'a name is no path', ...told(e));
  up.child.kill('SIGTERM');
  await up.done;
  await fake.stop();
}

// As with opencode.test.js: `make test-opencode` has all.
const SHORT = ['refusals', 'text', 'python', 'fails'];

async function main() {
  const some = [refusals, batch, ...cases].filter(({ name }) =>
    process.env.OPENCODE_SLOW || SHORT.includes(name));
  await rig.atATime(3, some.map((one) => async () => {
    try { await one(); } catch (error) { ok(false, one.name, error); }
  }));
  end();
}
main();
