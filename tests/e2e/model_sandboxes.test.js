#!/usr/bin/env node
// tests/e2e/model_sandboxes.test.js - models in sandboxes that waited, and Docker's.
// timeout 900
// long 60
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { ok, skip, end } = require('../lib/tap');
const rig = require('./opencode_rig');

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const good = 'module.exports = (a, b) => {\n  return a + b;\n};\n';
const bad = 'module.exports = (a, b) => {\n  return a - b;\n};\n';
const repo = rig.makeRepo('repo', { 'sum.js': good }, { 'sum.js': bad });
const answers = [rig.answer(rig.finding()), rig.verdicts(true),
  { text: 'All is well.' }];
const steps = [{ checkout: null }, { name: 'review', opencode: {} },
  { name: 'ask', run: 'opencode -p "Look around"; env', model: true }];

// What holds of a job wherever its sandbox comes from.
function judge(name, result, log, fake) {
  const [, review = {}, ask = {}] = result.steps || [];
  const found = (review.findings || {}).findings || [];
  ok(result.state === 'passed' && found.length === 1 && found[0].line === 2 &&
    review.review && review.review.runs === 2, `${name}: a review`, result, log);
  ok(review.model && review.model.requests === 2 && ask.model &&
    ask.model.requests === 1 && fake.requests.length === 3,
  `${name}: each step has its own account`, result.steps);
  ok(log.includes('All is well.') && !log.includes(rig.KEY) &&
    fake.requests.every((r) => r.headers.authorization === `Bearer ${rig.KEY}`),
  `${name}: opencode -p answers, without the key`, log);
}

async function until(what, seconds, test) {
  for (const last = Date.now() + seconds * 1000; Date.now() < last;) {
    const value = test();
    if (value) return value;
    await wait(50);
  }
  throw new Error(`${what} did not come`);
}

// ---- one that waited --------------------------------------------------------------

// The pids below one, all the way down, of programs of a name.
function below(pid, name) {
  const said = spawnSync('pgrep', ['-l', '-P', pid], { encoding: 'utf8' }).stdout;
  return said.split('\n').filter(Boolean).flatMap((line) => {
    const [child, comm] = line.split(' ');
    return [...(comm === name ? [Number(child)] : []), ...below(child, name)];
  });
}

async function warm() {
  const fake = await rig.startModel({ key: rig.KEY, script: [...answers] });
  const state = rig.makeState('warm');
  const config = rig.makeConfig('warm', fake);
  fs.writeFileSync(config, JSON.stringify({ ...JSON.parse(fs.readFileSync(config,
    'utf8')), worker: { capacity: 2, min_disk: '1KiB', min_memory: '1KiB',
    warm_pool: { 'standard-2': 1 } } }));
  const env = { ...process.env, BERTH_STATE_DIR: state, BERTH_CONFIG: config,
    GIT_CONFIG_GLOBAL: '/dev/null' };
  const log = path.join(rig.tmp, 'up.log');
  const up = spawn(rig.berth, ['up'], { env, stdio: ['ignore', 'ignore',
    fs.openSync(log, 'w')] });
  const gone = new Promise((done) => up.on('exit', done));
  try {
    const [first] = await until('a sandbox that waits', 60, () => {
      const all = below(up.pid, 'run-job');
      return all.length && below(all[0], 'agent').length && all;
    });
    const file = path.join(rig.tmp, 'warm.job.json');
    fs.writeFileSync(file, JSON.stringify({ id: 'warm', repo, ref: 'topic',
      base: 'main', pipeline: { sandbox: { instance_type: 'standard-2' },
        timeout: '10m', steps } }));
    const submitted = spawn(rig.berth, ['submit', '--wait', file], { env,
      stdio: 'ignore' });
    const ended = new Promise((done) => submitted.on('close', done));
    const lease = await until('a lease', 60, () => {
      try {
        return fs.readFileSync(path.join(state, 'leases/warm-1'), 'utf8');
      } catch { return ''; }
    });
    await ended;
    ok(/"pid":(\d+)/.exec(lease)[1] === String(first),
      'the job has the sandbox that waited', lease, first);
    const told = (...words) => spawnSync(rig.berth, [...words, 'warm'], { env,
      encoding: 'utf8' }).stdout;
    judge('warm pool', JSON.parse(told('status', '--json') || '{}').result || {},
      told('logs'), fake);
  } catch (error) {
    ok(false, 'warm pool', error, fs.readFileSync(log, 'utf8'));
  }
  up.kill('SIGTERM');
  await gone;
  await fake.stop();
}

// ---- Docker's ---------------------------------------------------------------------

const library = (script, ...words) => [['-c', `. tests/lib/docker.sh; ${script}`,
  'sh', ...words], { cwd: rig.root, stdio: ['pipe', 'pipe', 'inherit'],
  encoding: 'utf8' }];

// One shell has it from its beginning to its end, which is that of its input.
async function engine(dir) {
  const shell = spawn('bash', ...library('docker_up "$1" >&2 && docker_import ' +
    '"$1" berth-test && echo up; read -r _; docker_down "$1"', dir));
  const gone = new Promise((done) => shell.on('close', done));
  let said = '';
  shell.stdout.on('data', (data) => { said += data; });
  shell.down = () => { shell.stdin.end(); return gone; };
  await until('an engine', 120, () => said.includes('up') ||
    shell.exitCode !== null);
  return shell;
}

async function docker() {
  const missing = spawnSync('bash', ...library('docker_missing')).stdout.trim();
  if (missing) {
    skip('models in sandboxes of Docker', missing);
    return;
  }
  // Sockets have short names, and images are no tmpfs's.
  const dir = fs.mkdtempSync('/tmp/bd.');
  const fake = await rig.startModel({ key: rig.KEY, script: [...answers] });
  let shell;
  try {
    shell = await engine(dir);
    const state = rig.makeState('docker');
    const config = rig.makeConfig('docker', fake);
    const file = path.join(rig.tmp, 'docker.yml');
    fs.writeFileSync(file, JSON.stringify({ timeout: '10m', sandbox: { image:
      'docker://berth-test', instance_type: { cpu: 2, memory: '3GiB' } },
    steps }));
    const child = spawn(rig.berth, ['run', '--json', '--driver', 'docker',
      '--config', config, '--repo', repo, '--ref', 'topic', '--base', 'main',
      file], { env: { ...process.env, BERTH_STATE_DIR: state,
      BERTH_WORKER_REGISTRIES: 'docker.io',
      BERTH_WORKER_DOCKER_SOCKET: `${dir}/docker.sock`,
      GIT_CONFIG_GLOBAL: '/dev/null' }, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let log = '';
    child.stdout.on('data', (data) => { out += data; });
    child.stderr.on('data', (data) => { log += data; });
    await new Promise((done) => child.on('close', done));
    judge('Docker', JSON.parse(out || '{}'), log, fake);
  } catch (error) {
    ok(false, 'Docker', error);
  }
  if (shell) await shell.down();
  fs.rmSync(dir, { recursive: true, force: true });
  await fake.stop();
}

async function main() {
  await warm();
  await docker();
  end();
}
main();
