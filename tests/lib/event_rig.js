// tests/lib/event_rig.js - Redis and schedulers that take a host's webhooks.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn, execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { World } = require('./event_world');

const top = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(top, 'build/debug/bin/berth');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'e'));
fs.chmodSync(tmp, 0o755); // mirrors are not root's
const SECRET = 'a secret';
const APP = 'acme/app';
const children = [];
const world = new World(path.join(tmp, 'host'));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, fn, ms = 60000) {
  for (const late = Date.now() + ms; Date.now() < late; await pause(30)) {
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
  children.push(spawn('redis-server', ['--port', '0', '--unixsocket', socket,
    '--save', '', '--dir', tmp, '--loglevel', 'warning'], { stdio: 'ignore' }));
  await until('Redis', () => fs.existsSync(socket));
}

const env = { ...process.env, HOOK_SECRET: SECRET, HUB_TOKEN: world.token,
  BERTH_STATE_DIR: path.join(tmp, 'state') };

async function startScheduler(pool, ...sets) {
  const child = spawn(berth, ['scheduler', '--set', `redis.url=unix://${socket}`,
    '--set', `pool.name=${pool}`, '--set', 'webhooks.listen=127.0.0.1:0',
    '--set', 'webhooks.github_secrets=env:HOOK_SECRET',
    '--set', `webhooks.github_url=${world.base}`, '--set', 'webhooks.max_rate=0',
    '--set', `github.api_url=${world.base}/api`,
    '--set', 'github.token=env:HUB_TOKEN', '--set', 'webhooks.reconcile=0s',
    ...sets.flatMap((s) => ['--set', s])],
  { stdio: ['ignore', 'ignore', 'pipe'], env });
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

function command(s, ...words) {
  const r = spawnSync(berth, [...words, '--redis', `unix://${socket}`, '--pool',
    s.pool], { env });
  return { status: r.status, out: r.stdout.toString(), err: r.stderr.toString() };
}

module.exports = { APP, SECRET, berth, children, command, env, pause, redis,
  socket, startRedis, startScheduler, tmp, top, until, world };
