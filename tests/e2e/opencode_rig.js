// tests/e2e/opencode_rig.js - the real opencode in sandboxes, before a fake model.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const { startModel } = require('../fakes/model');

const root = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(root, 'build/debug/bin/berth');
const tmp = process.env.TEST_TMP;
const KEY = 'sk-only-the-relay-knows-0123456789';

// What `berth setup opencode` installs, once for all tests of a run; it is the
// largest thing that they need.
function tools() {
  const shared = path.join(process.env.TEST_SHARED || tmp, 'opencode');
  if (!fs.existsSync(shared)) {
    const stage = fs.mkdtempSync(`${shared}-`);
    execFileSync(berth, ['setup', 'opencode'], { stdio: ['ignore', 'ignore',
      'pipe'], env: { ...process.env, BERTH_STATE_DIR: stage } });
    try {
      fs.renameSync(stage, shared);
    } catch (error) {
      if (!fs.existsSync(shared)) throw error; // another one came first
      fs.rmSync(stage, { recursive: true, force: true });
    }
  }
  return path.join(shared, 'tools');
}

// A state directory that has them.
function makeState(name) {
  const state = path.join(tmp, name);
  fs.mkdirSync(state, { mode: 0o711 });
  fs.symlinkSync(tools(), path.join(state, 'tools'));
  return state;
}

function git(dir, ...args) {
  return execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1' } }).trim();
}

function write(dir, files) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    if (typeof text === 'object') fs.symlinkSync(text.link, file);
    else fs.writeFileSync(file, text);
  }
}

// A repository: `base` on main, and `change` on top of it on `topic`.
function makeRepo(name, base, change, message = 'Change it') {
  const dir = path.join(tmp, name);
  fs.mkdirSync(dir);
  git(dir, 'init', '-q', '-b', 'main');
  write(dir, base);
  git(dir, 'add', '-A', '-f');
  git(dir, 'commit', '-q', '-m', 'Begin');
  git(dir, 'checkout', '-q', '-b', 'topic');
  write(dir, change);
  git(dir, 'add', '-A', '-f');
  git(dir, 'commit', '-q', '--allow-empty', '-m', message);
  git(dir, 'checkout', '-q', 'main');
  return dir;
}

// A configuration with one model, and where it is.
function makeConfig(name, fake, model = {}) {
  const key = path.join(tmp, 'model.key');
  fs.writeFileSync(key, KEY, { mode: 0o600 });
  const file = path.join(tmp, `${name}.json`);
  fs.writeFileSync(file, JSON.stringify({ models: [{ name: 'default',
    url: fake.url, key: `file:${key}`, model: 'small', context: 64000,
    output: 4096, price: { input: 1, output: 2 },
    budget: { requests: 30, tokens: 2000000, time: '15m' }, ...model }] }));
  return file;
}

// `berth run` of steps (as in YAML, which JSON is): {status, result, log, ms}.
function run(name, { state, repo, steps, config, ref = 'topic', base = 'main',
  timeout = '15m', more = [] }) {
  const file = path.join(tmp, `${name}.yml`);
  fs.writeFileSync(file, JSON.stringify({ timeout, sandbox:
    { instance_type: { cpu: 2, memory: '3GiB' } },
  steps: ['checkout', ...steps].map((s) => (s === 'checkout' ?
    { checkout: null } : s)) }));
  const began = Date.now();
  const child = spawn(berth, ['run', '--json', '--config', config, '--repo',
    repo, '--ref', ref, '--base', base, ...more, file], { stdio: ['ignore',
    'pipe', 'pipe'], env: { ...process.env, BERTH_STATE_DIR: state,
    GIT_CONFIG_GLOBAL: '/dev/null' } });
  let out = '';
  let log = '';
  child.stdout.on('data', (data) => { out += data; });
  child.stderr.on('data', (data) => { log += data; });
  return new Promise((done) => child.on('close', (status) => {
    let result = null;
    try { result = JSON.parse(out); } catch { log += out; }
    done({ status, result, log, ms: Date.now() - began,
      step: result ? result.steps[result.steps.length - 1] : {} });
  }));
}

// One case with a fake of its own.
async function ask(name, { script, model, fake: how = {}, ...spec }) {
  const fake = await startModel({ key: KEY, script, ...how });
  const ended = await run(name, { config: makeConfig(name, fake, model),
    ...spec });
  await fake.stop();
  return { ...ended, requests: fake.requests };
}

// At most so many at a time, in order.
async function atATime(most, jobs) {
  const rest = [...jobs];
  await Promise.all(Array.from({ length: most }, async () => {
    while (rest.length) await rest.shift()();
  }));
}

const finding = (more = {}) => ({ path: 'sum.js', line: 2, end_line: 2,
  side: 'new', severity: 'error', category: 'bug',
  message: 'The sum subtracts.', why: 'It is never right.',
  quote: '  return a - b;', suggestion: '  return a + b;', confidence: 0.9,
  ...more });
const answer = (...findings) => ({ text: JSON.stringify({ findings }) });
const verdicts = (...stands) => ({ text: JSON.stringify({ verdicts:
  stands.map((stand, i) => ({ claim: i + 1, stands: stand, why: 'seen' })) }) });

module.exports = { KEY, answer, ask, atATime, berth, finding, git, makeConfig,
  makeRepo, makeState, root, run, startModel, tmp, tools, verdicts, write };
