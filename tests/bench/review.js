// tests/bench/review.js - reviews by berth against opencode by itself.
// SPDX-License-Identifier: Apache-2.0
//
// usage: review.js DIR, started by review.bash. The same prompt goes to the same
// scripted model both ways, in turn; a figure is the median of the rounds.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const { execFile, spawn } = require('child_process');
const { loadCases, makeRepo } = require('../eval/cases');
const { Relay, modelOf, startModel, chat, KEY } =
  require('../integration/relay_rig');

const tmp = process.argv[2];
const berth = process.env.BERTH_BIN;
const rounds = Number(process.env.BENCH_ROUNDS) || 7;
const AT_ONCE = 4;
const AIM_MS = 150;
const state = path.join(tmp, 'state');
const env = { ...process.env, BERTH_STATE_DIR: state,
  GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const median = (list) => [...list].sort((a, b) => a - b)[
  Math.floor((list.length - 1) / 2)];

// Less is better, unless `most`.
function report(name, value, unit, peer, other, most = false) {
  const show = (x) => (x < 10 ? x.toFixed(2) : x.toFixed(0));
  const ratio = most ? value / other : other / value;
  console.log(`bench ${name} ${show(value)} ${unit} vs ${peer} ` +
    `${show(other)} ratio ${ratio.toFixed(2)}`);
}

// Not synchronous: the model answers in this process.
function berthJson(input, ...args) {
  return new Promise((done, fail) => {
    const child = execFile(berth, [...args, '--json'], { cwd: tmp, env,
      maxBuffer: 1 << 26 }, (error, out) => (error ? fail(error) :
      done(JSON.parse(out))));
    // Who ends without reading says why in its status.
    child.stdin.on('error', () => {}).end(input);
  });
}

async function until(what, condition) {
  const end = Date.now() + 120000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: not after two minutes`);
    await wait(100);
  }
}

// ---- by berth -----------------------------------------------------------------

// How many sandboxes wait for jobs.
const warm = () => fs.readdirSync(path.join(state, 'sandboxes'))
  .filter((name) => name.startsWith('warm-')).length;

// A berth with a warm pool; the function that ends it.
async function startBerth(fake) {
  const key = path.join(tmp, 'model.key');
  const config = path.join(tmp, 'berth.yml');
  fs.writeFileSync(key, KEY, { mode: 0o600 });
  fs.writeFileSync(config, JSON.stringify({ models: [{ name: 'default',
    url: fake.url, key: `file:${key}`, model: 'small', context: 64000,
    output: 4096 }], pool: { max_instances: AT_ONCE }, worker: {
    capacity: AT_ONCE, warm_pool: { 'standard-3': AT_ONCE } } }));
  const log = fs.openSync(path.join(tmp, 'up.log'), 'a');
  const child = spawn(berth, ['up', '--config', config], { env,
    stdio: ['ignore', log, log] });
  const exited = new Promise((done) => child.on('exit', done));
  env.BERTH_CONFIG = config;
  await until('berth up', async () => {
    try {
      const { workers } = await berthJson('', 'queue');
      return workers.length > 0 && warm() >= AT_ONCE;
    } catch {
      return false;
    }
  });
  return async () => {
    child.kill('SIGTERM');
    await exited;
  };
}

const job = (repo) => ({ repo, branch: 'change', base: 'main', pipeline: {
  name: 'review', sandbox: { image: 'host', instance_type: 'standard-3' },
  steps: [{ checkout: null }, { opencode: { verify: false } }] } });

// Reviews at the same time: {wall, jobs: [{leased, ended, peak}]}.
async function reviews(repo, count) {
  const began = Date.now();
  const { jobs } = await berthJson(JSON.stringify(
    Array.from({ length: count }, () => job(repo))), 'submit', '--wait', '-');
  const wall = Date.now() - began;
  const ended = [];
  for (const { id } of jobs) {
    const { started_at_ms: leased, result } = await berthJson('', 'status', id);
    if (result.state !== 'passed') throw new Error(`${id}: ${result.message}`);
    ended.push({ leased, ended: result.ended_at_ms,
      peak: result.usage.peak_memory_bytes || 0 });
  }
  return { wall, jobs: ended };
}

// ---- opencode by itself ----------------------------------------------------------

// The home and the configuration that it has in a sandbox.
function bareHome(fake) {
  const home = fs.mkdtempSync(path.join(tmp, 'bare-'));
  const off = { disable: true };
  fs.mkdirSync(path.join(home, 'code'));
  fs.writeFileSync(path.join(home, 'config.json'), JSON.stringify({
    autoupdate: false, share: 'disabled', snapshot: false, lsp: false,
    formatter: false, permission: { '*': 'deny', external_directory: 'deny',
      read: { '*': 'allow' }, grep: 'allow', glob: 'allow' },
    default_agent: 'reviewer', agent: { reviewer: { mode: 'primary',
      prompt: 'You are a careful reviewer of code.', steps: 40 }, build: off,
    plan: off, general: off, explore: off }, model: 'p/small',
    small_model: 'p/small', enabled_providers: ['p'], provider: { p: {
      npm: '@ai-sdk/openai-compatible', options: { baseURL: fake.url,
        apiKey: KEY }, models: { small: { limit: { context: 64000,
        output: 4096 } } } } } }));
  return home;
}

function bareEnv(home) {
  const own = { HOME: home, TMPDIR: home, NO_COLOR: '1',
    PATH: `${path.join(home, 'bin')}:${process.env.PATH}`,
    OPENCODE_CONFIG: path.join(home, 'config.json') };
  for (const name of ['PROJECT_CONFIG', 'AUTOUPDATE', 'MODELS_FETCH',
    'LSP_DOWNLOAD', 'DEFAULT_PLUGINS', 'CLAUDE_CODE', 'EXTERNAL_SKILLS'])
    own[`OPENCODE_DISABLE_${name}`] = '1';
  for (const name of ['CONFIG', 'DATA', 'CACHE', 'STATE'])
    own[`XDG_${name}_HOME`] = path.join(home, name);
  return own;
}

// The program that sandboxes get.
function program() {
  const tools = path.join(state, 'tools');
  const told = JSON.parse(fs.readFileSync(path.join(tools, 'opencode.json')));
  return path.join(tools, told.dir, 'opencode.bin');
}

function highWater(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(
      fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  } catch {
    return 0; // it has ended
  }
}

// {began, ended, peak}
async function bare(fake, prompt) {
  const home = bareHome(fake);
  const began = Date.now();
  const child = spawn(program(), ['run', '--pure', '--title', 'review',
    '--agent', 'reviewer', '--format', 'json', '-m', 'p/small'],
  { cwd: path.join(home, 'code'), env: bareEnv(home),
    stdio: ['pipe', 'pipe', 'ignore'] });
  let out = '';
  let peak = 0;
  const look = setInterval(() => {
    peak = Math.max(peak, highWater(child.pid));
  }, 50);
  child.stdout.on('data', (data) => { out += data; });
  child.stdin.end(prompt);
  const code = await new Promise((done) => child.on('close', done));
  const ended = Date.now();
  clearInterval(look);
  fs.rmSync(home, { recursive: true, force: true });
  if (code !== 0 || !out.includes('"reason":"stop"'))
    throw new Error(`opencode by itself: exit ${code}: ${out.slice(-500)}`);
  return { began, ended, peak };
}

const promptOf = (body) => body.messages.filter((m) => m.role === 'user')
  .map((m) => (typeof m.content === 'string' ? m.content :
    m.content.map((item) => item.text).join(''))).join('');

async function benchReviews() {
  const fake = await startModel({ key: KEY,
    script: [{ text: '{"findings": []}' }] });
  const [one] = loadCases('bug-bitmap-size-c');
  const repo = makeRepo(one, path.join(tmp, 'repo'));
  const stop = await startBerth(fake);
  try {
    await reviews(repo, 1); // so that all is in memory
    const prompt = promptOf(fake.requests[0].body);
    await bare(fake, prompt);
    const seen = { first: [], all: [], bareFirst: [], bareAll: [], wall: [],
      peak: [], barePeak: [] };
    for (let i = 0; i < rounds; i++) {
      fake.requests.length = 0;
      const { wall, jobs: [mine] } = await reviews(repo, 1);
      seen.first.push(fake.requests[0].at - mine.leased);
      seen.all.push(mine.ended - mine.leased);
      seen.wall.push(wall);
      seen.peak.push(mine.peak / (1 << 20));
      fake.requests.length = 0;
      const theirs = await bare(fake, prompt);
      seen.bareFirst.push(fake.requests[0].at - theirs.began);
      seen.bareAll.push(theirs.ended - theirs.began);
      seen.barePeak.push(theirs.peak / (1 << 20));
    }
    const figure = Object.fromEntries(Object.entries(seen).map(
      ([name, list]) => [name, median(list)]));
    report('review-first-request', figure.first, 'ms', 'opencode-run',
      figure.bareFirst);
    report('review-first-request-overhead',
      Math.max(1, figure.first - figure.bareFirst), 'ms', 'aim', AIM_MS);
    report('review-job', figure.all, 'ms', 'opencode-run', figure.bareAll);
    report('review-job-overhead', Math.max(1, figure.all - figure.bareAll),
      'ms', 'aim', AIM_MS);
    report('review-peak-memory', figure.peak, 'MiB', 'opencode-run-rss',
      figure.barePeak);
    const { wall } = await reviews(repo, AT_ONCE);
    report(`review-${AT_ONCE}-at-once`, wall, 'ms', `${AT_ONCE}-in-turn`,
      AT_ONCE * figure.wall);
    const began = Date.now();
    await Promise.all(Array.from({ length: AT_ONCE },
      () => bare(fake, prompt)));
    const theirs = Date.now() - began;
    report(`review-${AT_ONCE}-at-once`, wall, 'ms',
      `${AT_ONCE}-opencode-run-at-once`, theirs);
  } finally {
    await stop();
    await fake.stop();
  }
}

// ---- the relay -----------------------------------------------------------------

// {first, all: microseconds, bytes} of one streamed answer.
function ask(port, agent) {
  const text = JSON.stringify(chat({ stream: true }));
  return new Promise((done, fail) => {
    const began = process.hrtime.bigint();
    const since = () => Number(process.hrtime.bigint() - began) / 1000;
    let first = 0;
    let bytes = 0;
    const request = http.request({ host: '127.0.0.1', port, agent,
      method: 'POST', path: '/v1/chat/completions', headers: {
        'Content-Type': 'application/json', Authorization: `Bearer ${KEY}` } },
    (response) => {
      if (response.statusCode !== 200)
        fail(new Error(`status ${response.statusCode}`));
      response.on('data', (data) => {
        first = first || since();
        bytes += data.length;
      });
      response.on('end', () => done({ first, all: since(), bytes }));
      response.on('error', fail);
    });
    request.on('error', fail);
    request.end(text);
  });
}

async function benchRelay() {
  const fake = await startModel({ key: KEY, script: [{ text: 'Hello.' }] });
  const relay = await Relay.start({ models: [modelOf(fake)],
    max_answer: 1 << 30 });
  const agent = new http.Agent({ keepAlive: true });
  const ports = { direct: fake.port, relayed: relay.port };
  const seen = { direct: [], relayed: [] };
  await relay.begin();
  try {
    for (let i = 0; i < 50 * rounds; i++)
      for (const [name, port] of Object.entries(ports))
        seen[name].push((await ask(port, agent)).first);
    report('relay-first-byte', median(seen.relayed), 'us', 'direct',
      median(seen.direct));
    report('relay-first-byte-added',
      Math.max(1, median(seen.relayed) - median(seen.direct)), 'us', 'aim',
      1000);
    fake.script = [{ mode: 'big', bytes: 32 << 20 }];
    const speed = { direct: [], relayed: [] };
    for (let i = 0; i < rounds; i++)
      for (const [name, port] of Object.entries(ports)) {
        const { bytes, all } = await ask(port, agent);
        speed[name].push(bytes / all * 1e6 / (1 << 20));
      }
    report('relay-throughput', median(speed.relayed), 'MiB/s', 'direct',
      median(speed.direct), true);
  } finally {
    agent.destroy();
    await relay.stop();
    await fake.stop();
  }
}

async function main() {
  const parts = { relay: benchRelay, reviews: benchReviews };
  for (const name of (process.env.BENCH_PARTS || 'reviews relay').split(' '))
    await parts[name]();
}

main().catch((error) => {
  console.error(error);
  process.exit(1); // servers of ours would keep it
});
