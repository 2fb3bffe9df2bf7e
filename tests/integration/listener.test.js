#!/usr/bin/env node
// tests/integration/listener.test.js - webhooks over HTTP, into Redis.
// SPDX-License-Identifier: Apache-2.0
// timeout 180
// long 35
//
// A real scheduler and a real Redis; what comes of each kind of request, and
// what slow, large and too many ones do.
'use strict';

const { spawn, execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const path = require('path');
const { ok, end } = require('../lib/tap');

const top = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(top, 'build/debug/bin/berth');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'l'));
const SECRET = 'a secret';
const MIB = 1 << 20;

const children = [];

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, fn) {
  for (const end = Date.now() + 40000; Date.now() < end; await pause(20)) {
    const got = await fn();
    if (got) return got;
  }
  throw new Error(`waited in vain for ${what}`);
}

// ---- processes --------------------------------------------------------------

const socket = path.join(tmp, 'r');

function redis(...words) {
  return execFileSync('redis-cli', ['-s', socket, ...words]).toString().trim();
}

async function startRedis() {
  const child = spawn('redis-server', ['--port', '0', '--unixsocket', socket,
    '--save', '', '--dir', tmp, '--loglevel', 'warning'], { stdio: 'ignore' });
  children.push(child);
  await until('Redis', () => fs.existsSync(socket));
  return child;
}

async function startScheduler(pool, ...sets) {
  const child = spawn(berth, ['scheduler', '--set', `redis.url=unix://${socket}`,
    '--set', `pool.name=${pool}`, '--set', 'webhooks.listen=127.0.0.1:0',
    '--set', 'webhooks.github_secrets=file:' + path.join(tmp, 'secret'),
    // Nobody is there: what is stored goes on waiting.
    '--set', 'webhooks.github_url=http://127.0.0.1:1',
    '--set', 'webhooks.gitlab_secrets=env:HOOK_SECRET',
    ...sets.flatMap((s) => ['--set', s])], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env,
      HOOK_SECRET: SECRET, BERTH_STATE_DIR: path.join(tmp, 'state') } });
  children.push(child);
  child.log = '';
  child.stderr.on('data', (d) => { child.log += d; });
  child.over = new Promise((done) => child.on('exit',
    (code, signal) => done(signal || code)));
  await until('the listener', () => {
    if (child.exitCode !== null) throw new Error(child.log);
    return child.log.match(/on port (\d+)/);
  });
  child.port = Number(child.log.match(/on port (\d+)/)[1]);
  child.pool = pool;
  return child;
}

// ---- requests ---------------------------------------------------------------

let serial = 0;

function push(more = {}) {
  return JSON.stringify({ ref: 'refs/heads/main', before: '1'.repeat(40),
    after: '2'.repeat(40), commits: [], serial: serial++, repository: { id: 1,
      full_name: 'a/b', clone_url: 'http://127.0.0.1:1/a/b.git',
      default_branch: 'main', private: false },
    sender: { id: 2, login: 'u', type: 'User' }, ...more });
}

const sign = (body) => 'sha256=' +
  crypto.createHmac('sha256', SECRET).update(body).digest('hex');

const headersOf = (body, event = 'push') => ({ 'X-GitHub-Event': event,
  'X-GitHub-Delivery': 'd1', 'X-Hub-Signature-256': sign(body) });

function send(to, body, more = {}) {
  const options = { port: to.port, host: '127.0.0.1', method: 'POST',
    path: '/webhooks/github', headers: headersOf(body), agent: false, ...more };
  return new Promise((done, fail) => {
    const request = http.request(options, (response) => {
      let text = '';
      response.on('data', (d) => { text += d; });
      response.on('end', () => {
        let json = {};
        try { json = JSON.parse(text); } catch { /* not ours */ }
        done({ status: response.statusCode, headers: response.headers, ...json });
      });
    });
    request.on('error', fail);
    if (more.chunks) for (const c of more.chunks) request.write(c);
    request.end(more.chunks ? undefined : body);
  });
}

// A connection by hand; how long until it was closed from there.
function slow(to, first, next, every) {
  const started = Date.now();
  return new Promise((done) => {
    const s = net.connect(to.port, '127.0.0.1', () => s.write(first));
    const timer = every && setInterval(() => s.write(next), every);
    let text = '';
    s.on('data', (d) => { text += d; });
    s.on('error', () => {});
    s.on('close', () => {
      clearInterval(timer);
      done({ ms: Date.now() - started, text });
    });
  });
}

const keyOf = (body) => crypto.createHash('sha256')
  .update('github\0').update(body).digest('hex');
const field = (to, body, name) => redis('HGET',
  `berth:{${to.pool}}:delivery:${keyOf(body)}`, name);

// ---- tests ------------------------------------------------------------------

async function kinds(s) {
  let body = push();
  let r = await send(s, body);
  ok(r.status === 202 && r.result === 'stored', 'a push is stored', r);
  ok(field(s, body, 'state') === 'waiting' && field(s, body, 'repo') === 'a/b' &&
    field(s, body, 'source') === '127.0.0.1' && field(s, body, 'id') === 'd1' &&
    field(s, body, 'bytes') === String(body.length), 'and is in Redis, to wait');
  ok(r.headers.connection === 'close' &&
    r.headers['content-type'] === 'application/json', 'how it is answered', r);
  r = await send(s, body);
  ok(r.status === 202 && r.result === 'known', 'once more: known', r);
  r = await send(s, body, { headers: headersOf(body, 'fork') });
  ok(r.status === 200 && /nothing follows/.test(r.reason) &&
    field(s, body, 'state') === 'waiting',
  'under another name: it stays as it was', r);
  body = push({ ref: 'refs/tags/v1', after: '0'.repeat(40) });
  r = await send(s, body);
  ok(r.status === 200 && r.result === 'ignored' && r.reason === 'a tag is gone' &&
    field(s, body, 'state') === 'ignored' &&
    field(s, body, 'reason') === r.reason, 'what is ignored is kept, too', r);
  body = push({ hook: {}, zen: 'x' });
  r = await send(s, body, { headers: headersOf(body, 'ping') });
  ok(r.status === 200 && r.result === 'pong' && field(s, body, 'state') === '',
    'a ping is answered, and not kept', r);
  r = await send(s, 'no JSON');
  ok(r.status === 200 && /no JSON/.test(r.reason), 'signed, and no JSON', r);
  body = push({ repository: { id: 1, full_name: 'a/b',
    clone_url: 'https://evil.example/a/b.git' } });
  r = await send(s, body);
  ok(r.status === 200 && /address/.test(r.reason), 'another host\'s', r);
  body = push();
  r = await send(s, body, { chunks: [body.slice(0, 9), body.slice(9)] });
  ok(r.status === 202 && r.result === 'stored', 'in chunks', r);
  r = await send(s, JSON.stringify({ object_kind: 'job' }), {
    path: '/webhooks/gitlab', headers: { 'X-Gitlab-Event': 'Job Hook',
      'X-Gitlab-Token': SECRET } });
  ok(r.status === 200 && r.result === 'ignored', 'GitLab\'s, by its token', r);
}

async function refusals(s) {
  const body = push();
  const before = redis('HLEN', `berth:{${s.pool}}:delivery_sizes`);
  let r = await send(s, body, { headers: { ...headersOf(body),
    'X-Hub-Signature-256': sign(body + ' ') } });
  ok(r.status === 401 && /wrong/.test(r.reason), 'a wrong signature', r);
  r = await send(s, body, { headers: { 'X-GitHub-Event': 'push' } });
  ok(r.status === 401 && /missing/.test(r.reason), 'none', r);
  r = await send(s, body, { headers: {} });
  ok(r.status === 400, 'no host\'s', r);
  r = await send(s, body, { path: '/webhooks/gitlab' });
  ok(r.status === 400 && /gitlab/.test(r.reason), 'at another\'s address', r);
  r = await send(s, body, { path: '/webhooks/gitea' });
  ok(r.status === 404, 'of a host that is not configured', r);
  r = await send(s, body, { path: '/' });
  ok(r.status === 404, 'another path', r);
  r = await send(s, '', { method: 'GET' });
  ok(r.status === 405 && r.headers.allow === 'POST', 'another method', r);
  ok(redis('HLEN', `berth:{${s.pool}}:delivery_sizes`) === before,
    'nothing of that is kept');
}

async function large(s) {
  const head = `POST /webhooks/github HTTP/1.1\r\nHost: x\r\n`;
  let r = await slow(s, `${head}Content-Length: ${25 * MIB + 1}\r\n` +
    'Expect: 100-continue\r\n\r\n');
  ok(/^HTTP\/1.1 413 /.test(r.text) && r.ms < 9000, 'too large: before it came', r);
  const chunk = Buffer.alloc(MIB, 32);
  r = await send(s, push(), { chunks: Array(27).fill(chunk) });
  ok(r.status === 413, 'too large, in chunks', r);
  const body = push({ pad: 'x'.repeat(20 * MIB) });
  r = await send(s, body);
  ok(r.status === 202 && Number(redis('HGET',
    `berth:{${s.pool}}:delivery_sizes`, keyOf(body))) < MIB,
  '20 MiB are stored, compressed', r);
}

async function many(s) {
  const bodies = Array.from({ length: 150 }, () => push());
  const results = [];
  const next = async () => {
    for (let b; (b = bodies.pop());) results.push(await send(s, b));
  };
  await Promise.all(Array.from({ length: 30 }, next));
  ok(results.length === 150 && results.every((r) => r.result === 'stored'),
    '150 by thirty at a time', results.find((r) => r.result !== 'stored'));
}

// More than an address may have; those that are left end by themselves.
async function crowd(s) {
  const held = Array.from({ length: 90 }, () => slow(s, 'POST '));
  const gone = await Promise.race([Promise.any(held), pause(9000)]);
  ok(gone && gone.ms < 8000, 'an address has so many connections', gone);
  await Promise.all(held);
  ok((await send(s, '{}')).status === 200, 'and others when they are over');
}

async function full() {
  const s = await startScheduler('full', 'webhooks.budget=1MiB');
  const noise = () => push({ noise: crypto.randomBytes(300000).toString('hex') });
  const bodies = Array.from({ length: 4 }, noise);
  const results = [];
  for (const b of bodies) results.push(await send(s, b));
  ok(results.slice(0, 3).every((r) => r.result === 'stored') &&
    results[3].status === 503 && results[3].result === 'full' &&
    Number(results[3].headers['retry-after']) > 0, 'full of what waits', results);
  const gone = push({ ref: 'refs/tags/v1', after: '0'.repeat(40),
    noise: crypto.randomBytes(300000).toString('hex') });
  ok((await send(s, gone)).status === 200, 'what is ignored is not sent again');
  ok(field(s, bodies[0], 'state') === 'waiting' &&
    field(s, bodies[3], 'state') === '' && field(s, gone, 'state') === '',
  'nothing that waits was dropped');
  return s;
}

async function often() {
  const s = await startScheduler('often', 'webhooks.max_rate=3');
  const results = [];
  for (let i = 0; i < 4; i++) results.push(await send(s, push()));
  ok(results.slice(0, 3).every((r) => r.status === 202) &&
    results[3].status === 429 && Number(results[3].headers['retry-after']) > 0,
  'too often', results.map((r) => r.status));
  const lab = await send(s, push(), { path: '/webhooks/gitlab' });
  ok(lab.status === 503 && Number(lab.headers['retry-after']) > 0,
    'GitLab may go on all the same', lab.status);
  return s;
}

// Once its secret may speak for it, the host's sending it again is the first.
async function scopes() {
  const secret = (scope) =>
    `webhooks.github_secrets=${scope}file:${path.join(tmp, 'secret')}`;
  const body = push();
  const narrow = await startScheduler('scope', secret('other@'));
  let r = await send(narrow, body);
  ok(r.status === 200 && r.result === 'refused' && /speak for 'a\/b'/.test(r.reason),
    'of another than the secret speaks for', r);
  ok(field(narrow, body, 'state') === '', 'and not kept, so nobody replays it');
  await until('the log', () => /refused: .* speak for 'a\/b'/.test(narrow.log));
  const wide = await startScheduler('scope', secret('a@'));
  r = await send(wide, body);
  ok(r.status === 202 && r.result === 'stored', 'sent again when it may', r);
  return [narrow, wide];
}

async function away(s, server) {
  const body = push();
  server.kill('SIGSTOP');
  const started = Date.now();
  // Somebody who does not wait for the answer.
  const gone = http.request({ port: s.port, host: '127.0.0.1', method: 'POST',
    path: '/webhooks/github', headers: headersOf(body), agent: false });
  gone.on('error', () => {});
  gone.end(body, () => setTimeout(() => gone.destroy(), 200));
  const r = await send(s, body);
  ok(r.status === 503 && r.result === 'unavailable' &&
    Number(r.headers['retry-after']) > 0 && Date.now() - started < 10000,
  'Redis is mute: 503 in time', r);
  server.kill('SIGCONT');
  const again = await until('Redis', async () => {
    const a = await send(s, body);
    return a.status === 202 && a;
  });
  ok(['stored', 'known'].includes(again.result) &&
    field(s, body, 'state') === 'waiting', 'and then it is stored once', again);
}

async function settings() {
  for (const [what, sets, why] of [
    ['a secret that is not there', ['webhooks.github_secrets=file:/nowhere/x'],
      /nowhere/],
    ['a variable that is not there', ['webhooks.github_secrets=env:NO_SUCH'],
      /NO_SUCH/],
    ['a secret as it is', ['webhooks.github_secrets=hunter2'], /file:\/PATH/],
    ['no address', ['webhooks.listen=localhost'], /ADDRESS:PORT/],
    ['no base', ['webhooks.gitea_secrets=env:HOME'], /gitea_url/],
  ]) {
    const error = await startScheduler('bad', ...sets)
      .then(() => null, (e) => e.message);
    ok(error && why.test(error), `refused: ${what}`, error);
  }
}

async function main() {
  fs.writeFileSync(path.join(tmp, 'secret'), SECRET + '\n');
  const server = await startRedis();
  const s = await startScheduler('p', 'webhooks.max_rate=0');
  // These take their time beside the others.
  const head = 'POST /webhooks/github HTTP/1.1\r\nHost: x\r\n';
  const waits = Promise.all([slow(s, ''), slow(s, head, 'A: b\r\n', 500),
    slow(s, `${head}Content-Length: 9999\r\n\r\n`, 'x', 500)]);
  await kinds(s);
  await refusals(s);
  await large(s);
  const others = [await full(), await often(), ...await scopes()];
  const crowded = crowd(others[0]);
  await settings();
  await crowded;
  const [mute, heads, bodies] = await waits;
  ok(mute.ms > 5000 && mute.ms < 25000, 'a mute client is cut off', mute);
  ok(heads.ms > 10000 && heads.ms < 35000, 'so is a slow head', heads);
  ok(bodies.ms > 10000 && bodies.ms < 35000, 'so is a slow body', bodies);
  await many(s);
  await away(s, server);
  // Its end comes while something waits for Redis.
  server.kill('SIGSTOP');
  send(s, push()).catch(() => {});
  await pause(300);
  for (const child of [s, ...others]) {
    child.kill('SIGTERM');
    const end = await child.over;
    ok(end === 0, `the scheduler of '${child.pool}' ends well`, end, child.log);
  }
}

main().catch((e) => ok(false, 'no error', e.stack)).finally(() => {
  for (const child of children) child.kill('SIGKILL');
  end();
});
