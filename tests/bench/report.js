// tests/bench/report.js - what tests/bench/report.bash measures.
// SPDX-License-Identifier: Apache-2.0
//
// node report.js DIR: DIR/redis.sock is a Redis of its own.
'use strict';

const { execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { Redis } = require('../lib/redis');
const { Forge } = require('../lib/forge');
const hosts = require('../lib/forge_host');

const [tmp] = process.argv.slice(2);
const top = path.resolve(__dirname, '../..');
const number = (name, initial) => Number(process.env[name] || initial);
const DELIVERIES = number('BENCH_DELIVERIES', 1000);
const RATE = number('BENCH_RATE', 4);
const FINDINGS = number('BENCH_FINDINGS', 500);
const FILES = number('BENCH_FILES', 200);
const AT_ONCE = 16;
const TIMED = number("BENCH_TIMED", 150);
const POOL = 'bench';
const SECRET = 'a secret of the benchmark';
const WAIT_MS = 600000;
const PEER = 'octokit-webhooks-and-git';

const children = [];
const redis = new Redis(path.join(tmp, 'redis.sock'));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, fn) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await pause(20)) {
    const got = await fn();
    if (got) return got;
  }
  throw new Error(`waited in vain for ${what}`);
}

function rank(list, share) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

// A ratio over 1: ours is better.
function figure(name, ours, unit, peer, theirs, most = false) {
  const ratio = most ? ours / theirs : theirs / ours;
  const show = (n) => (n >= 100 ? n.toFixed(0) : n.toFixed(2));
  console.log(`bench ${name} ${show(ours)} ${unit} vs ${peer} ${show(theirs)} ` +
    `ratio ${ratio.toFixed(2)}`);
}

// The host; ended with us, whatever happens.
async function startHost(more) {
  const host = await hosts.start({ kind: 'github', tmp, separate: true, ...more });
  children.push(host.child);
  return host;
}

// ---- deliveries -------------------------------------------------------------

// Commits of as many changes, each with a branch of its own, in the host's
// repository: what the pipelines are read from.
async function makeChanges(host, count) {
  const { dir } = await host.call('addRepo', { name: 'acme/app', private: false });
  const base = await host.call('commit', { repo: 'acme/app', branch: 'main',
    files: { '.berth/ci.yml': 'on: change\nsteps:\n  - checkout:\n' +
      '  - run: echo ci\n', 'a.txt': 'a\n' } });
  const first = await host.call('commit', { repo: 'acme/app', branch: 'topic',
    from: 'main', files: { 'a.txt': 'b\n' } });
  await host.call('addChange', { repo: 'acme/app', head: 'topic', base: 'main' });
  const parts = [];
  for (let i = 2; i <= count; i++)
    parts.push(`commit refs/pull/${i}/head\ncommitter T <t@example.org> ` +
      `1767225600 +0000\ndata 1\nc\nfrom ${base}\n` +
      `M 100644 inline a.txt\ndata ${String(i).length}\n${i}\n`);
  execFileSync('git', ['-C', dir, 'fast-import', '--quiet'],
    { input: parts.join('') });
  // As a host has them.
  execFileSync('git', ['-C', dir, 'pack-refs', '--all']);
  const shas = execFileSync('git', ['-C', dir, 'for-each-ref',
    '--format=%(refname) %(objectname)', 'refs/pull']).toString();
  const found = new Map(shas.trim().split('\n').map((line) => {
    const [ref, sha] = line.split(' ');
    return [+ref.split('/')[2], sha];
  }));
  found.set(1, first);
  return found;
}

// As GitHub would send them, signed; made before anything is timed.
async function makeDeliveries(host, shas) {
  await host.call('addHook', { url: 'http://127.0.0.1:9/', secret: SECRET });
  const [d] = await host.call('emit', { what: 'opened', repo: 'acme/app',
    number: 1, lost: true });
  return [...shas].map(([n, sha]) => {
    const payload = structuredClone(d.request.payload);
    payload.number = payload.pull_request.number = n;
    payload.pull_request.head.sha = sha;
    payload.pull_request.head.ref = `topic-${n}`;
    const body = Buffer.from(JSON.stringify(payload));
    const mac = crypto.createHmac('sha256', SECRET).update(body).digest('hex');
    return { body, key: crypto.createHash('sha256').update('github\0')
      .update(body).digest('hex'), headers: { 'content-type': 'application/json',
      'x-github-event': 'pull_request', 'x-github-delivery': crypto.randomUUID(),
      'x-hub-signature-256': `sha256=${mac}`, 'content-length': body.length } };
  });
}

function send(port, delivery) {
  const began = performance.now();
  delivery.sent_ms = Date.now();
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method: 'POST',
      path: '/webhooks/github', headers: delivery.headers, agent: false },
    (res) => {
      res.resume();
      res.on('end', () => {
        if (res.statusCode >= 300)
          return reject(new Error(`answered with ${res.statusCode}`));
        return resolve(performance.now() - began);
      });
    });
    request.on('error', reject);
    request.end(delivery.body);
  });
}

// As fast as they are taken; {rate, times}.
async function burst(port, list) {
  const times = [];
  let next = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < list.length) times.push(await send(port, list[next++]));
  }));
  return { rate: list.length / (performance.now() - began) * 1000, times };
}

// So many a second, whether or not the last one is answered.
async function paced(port, list) {
  const began = performance.now();
  return Promise.all(list.map(async (delivery, i) => {
    await pause(Math.max(0, began + i * 1000 / RATE - performance.now()));
    return send(port, delivery);
  }));
}

// ---- who takes them ---------------------------------------------------------

function start(command, args, more = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'],
    ...more });
  child.log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d) => { child.log = (child.log + d).slice(0, 65536); });
  children.push(child);
  return child;
}

async function portOf(child, pattern) {
  const found = await until('a port', () => {
    if (child.exitCode !== null) throw new Error(child.log);
    return pattern.exec(child.log);
  });
  return Number(found[1]);
}

const startScheduler = (host) => start(process.env.BERTH_BIN, ['scheduler',
  '--set', `redis.url=unix://${tmp}/redis.sock`, '--set', `pool.name=${POOL}`,
  '--set', 'webhooks.listen=127.0.0.1:0', '--set', 'webhooks.max_rate=0',
  '--set', 'webhooks.github_secrets=env:HOOK_SECRET',
  '--set', `webhooks.github_url=${host.url}`,
  '--set', `github.api_url=${host.api}`, '--set', 'github.token=env:HUB_TOKEN'],
{ env: { ...process.env, HOOK_SECRET: SECRET, HUB_TOKEN: host.token,
  BERTH_STATE_DIR: path.join(tmp, 'state') } });

// How long each took from when it was sent to when its job was in the queue.
async function queued(list) {
  const waiting = `berth:{${POOL}}:deliveries:waiting:github`;
  await until('jobs', async () => !await redis.call('ZCARD', waiting));
  return Promise.all(list.map(async (d) => {
    const key = `berth:{${POOL}}:delivery:${d.key}`;
    const state = await redis.call('HGET', key, 'state');
    if (state !== 'done')
      throw new Error(`a delivery is ${state}: ` +
        await redis.call('HGET', key, 'reason'));
    return await redis.call('HGET', key, 'settled_at_ms') - d.sent_ms;
  }));
}

// The peer's own clock, when it had the pipeline in its list.
async function listed(list) {
  const wanted = new Set(list.map((d) => d.headers['x-github-delivery']));
  const at = new Map();
  await until("the peer's jobs", async () => {
    for (const text of await redis.call('LRANGE', 'peer:jobs', 0, list.length)) {
      const item = JSON.parse(text);
      if (wanted.has(item.id)) at.set(item.id, item.at);
    }
    return at.size === list.length;
  });
  return list.map((d) => at.get(d.headers['x-github-delivery']) - d.sent_ms);
}

async function startPeer() {
  const child = start(process.execPath, [process.env.BENCH_PEER,
    path.join(tmp, 'redis.sock'), SECRET, path.join(top, 'tests/lib/redis.js'),
    path.join(tmp, 'peer.git')]);
  return portOf(child, /^(\d+)$/m);
}

// All at once, and when the last is a job.
async function many(port, list, jobs) {
  const began = performance.now();
  const { rate, times } = await burst(port, list);
  await jobs(list);
  return { rate, times,
    jobs: list.length / (performance.now() - began) * 1000 };
}

async function webhooks() {
  const host = await startHost({ examples: true });
  host.token = await host.call('addToken', { login: 'acme' });
  const list = await makeDeliveries(host,
    await makeChanges(host, DELIVERIES + TIMED));
  const ours = await portOf(startScheduler(host), /on port (\d+)/);
  const theirs = await startPeer();
  const [first, last] = [list.slice(0, DELIVERIES), list.slice(DELIVERIES)];
  console.log(`# ${DELIVERIES} deliveries of ${Math.round(list[0].body.length /
    1024)} KiB, ${AT_ONCE} at a time; ${TIMED} more at ${RATE}/s; each of a ` +
    'change of its own, whose pipeline is read from its commit');
  const peer = await many(theirs, first, listed);
  const mine = await many(ours, first, queued);
  figure('webhook-taken', mine.rate, 'deliveries/s', PEER, peer.rate, true);
  figure('webhook-jobs', mine.jobs, 'jobs/s', PEER, peer.jobs, true);
  const ranks = [['p50', 0.5], ['p99', 0.99]];
  for (const [name, share] of ranks)
    figure(`webhook-202-busy-${name}`, rank(mine.times, share), 'ms', PEER,
      rank(peer.times, share));
  const peerTimes = [await paced(theirs, last), await listed(last)];
  const times = [await paced(ours, last), await queued(last)];
  for (const [i, what] of ['202', 'queued'].entries())
    for (const [name, share] of ranks)
      figure(`webhook-${what}-${name}`, rank(times[i], share), 'ms', PEER,
        rank(peerTimes[i], share));
  await host.stop();
}

// ---- findings ---------------------------------------------------------------

// A change of FILES files, each with some lines that are new.
async function makeReview(host) {
  const lines = (i, more) => Array.from({ length: 40 }, (_, n) =>
    `f${i}_${n}();${more && n % 10 === 5 ? ' // changed' : ''}`).join('\n') + '\n';
  const files = (more) => Object.fromEntries(Array.from({ length: FILES },
    (_, i) => [`src/d${i % 17}/f${i}.c`, lines(i, more)]));
  await host.call('addRepo', { name: 'acme/app', permissions: { berth: 'write' } });
  await host.call('commit', { repo: 'acme/app', branch: 'main',
    files: files(false) });
  const head = await host.call('commit', { repo: 'acme/app', branch: 'topic',
    from: 'main', files: files(true) });
  await host.call('addChange', { repo: 'acme/app', head: 'topic', base: 'main' });
  const list = Array.from({ length: FINDINGS }, (_, i) => {
    const file = i % FILES;
    const line = 6 + 10 * (Math.floor(i / FILES) % 4);
    return { kind: 'issue', severity: i % 5 ? 'warning' : 'error', tool: 'bench',
      rule: `rule-${i % 9}`, path: `src/d${file % 17}/f${file}.c`, line,
      end_line: line, message: `Finding ${i} of this benchmark.`,
      fingerprint: crypto.createHash('md5').update(`f${i}`).digest('hex') };
  });
  return { head, list };
}

const peakMib = (pid) => Number(/VmHWM:\s+(\d+)/.exec(
  fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function ours(host, app, installation, { head, list }) {
  const forge = new Forge({ forge: 'github', api_url: host.api,
    base_url: host.url, ca: '', app: app.id, app_key: app.private_key, token: '',
    gap_ms: 0, timeout_ms: 60000 });
  const began = performance.now();
  const answer = await forge.ask('report', { repo: 'acme/app', installation,
    commit: head, change: 1, latest: true, check: { name: 'berth / review',
      external_id: 'job-1', state: 'failed', reason: 'step', message: '',
      attempt: 1, started_at_ms: 1, ended_at_ms: 2, url: '', fork: false },
    key: 'review', title: 'Review', findings: { schema: 1, findings: list,
      tests: { passed: 0, failed: 0, skipped: 0 } }, note: '', posted: {},
    max_comments: FINDINGS, max_rows: 500, request_changes: false });
  const ms = performance.now() - began;
  if (answer.error) throw new Error(`${answer.error}: ${answer.message}`);
  const mib = peakMib(forge.child.pid);
  await forge.end();
  return { ms, mib, comments: answer.comments };
}

// What reviews do that post as they go: a request for each comment.
async function theirs(host, { head, list }, token) {
  const began = performance.now();
  for (const { path: at, line, message } of list) {
    const res = await fetch(`${host.api}/repos/acme/app/pulls/1/comments`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`,
        'user-agent': 'peer', accept: 'application/vnd.github+json',
        'content-type': 'application/json' },
      body: JSON.stringify({ commit_id: head, path: at, line, side: 'RIGHT',
        body: message }) });
    if (res.status !== 201) throw new Error(await res.text());
  }
  return { ms: performance.now() - began, mib: peakMib(process.pid) };
}

async function review() {
  const host = await startHost({ gap_ms: 0 });
  const app = await host.call('setApp', {});
  const { id } = await host.call('install', { repos: ['acme/app'] });
  const made = await makeReview(host);
  const a = await ours(host, app, id, made);
  const stats = await host.call('stats');
  const wrong = [...await host.call('violations'), ...await host.call('broken')];
  if (wrong.length) throw new Error(JSON.stringify(wrong.slice(0, 5)));
  await host.call('reset');
  const token = await host.call('addToken', { login: 'berth' });
  const b = await theirs(host, made, token);
  const peer = await host.call('stats');
  console.log(`# ${FINDINGS} findings in a diff of ${FILES} files: ${a.comments} ` +
    'comments, one check, one summary; the host is on loopback, no pause');
  const name = 'a-request-a-comment';
  figure('report-requests', stats.requests, 'requests', name, peer.requests);
  figure('report-writes', stats.writes, 'writes', name, peer.writes);
  figure('report-time', a.ms, 'ms', name, b.ms);
  console.log(`bench report-peak-rss ${a.mib.toFixed(1)} MiB of forge`);
  await host.stop();
}

async function main() {
  await webhooks();
  await review();
}

main().catch((error) => {
  console.error(`bench-report: ${error.message}`);
  process.exitCode = 1;
}).finally(async () => {
  redis.close();
  await Promise.all(children.map((child) => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode) return resolve();
    child.on('exit', resolve);
    return child.kill();
  })));
});
