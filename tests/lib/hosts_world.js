// tests/lib/hosts_world.js - a Git host, and berth with all that belongs to it.
// SPDX-License-Identifier: Apache-2.0
'use strict';

// Redis, schedulers with a listener, workers that are enrolled, and a fake host
// whose repositories are private. Who uses it says what is pushed and sent.

const { execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { Service } = require('../chaos/cluster');
const { Redis } = require('./redis');
const { start } = require('./forge_host');

const top = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(top, 'build/debug/bin/berth');
const POOL = 'hosts';
const SECRET = 'only the host knows';
const FINDING = /^<!-- berth:finding ([0-9a-f]{32}) -->/;
const SUMMARY = /^<!-- berth:summary /;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

for (const name of ['BERTH_STATE_DIR', 'BERTH_CONFIG', 'BERTH_REDIS'])
  delete process.env[name]; // they would win over ours
Object.assign(process.env, { no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' });

async function until(what, fn, ms = 90000) {
  for (const late = Date.now() + ms; Date.now() < late; await pause(50)) {
    const got = await fn();
    if (got) return got;
  }
  throw new Error(`waited in vain for ${what}`);
}

class Hosts {
  // {tmp, kind, validate, gap_ms, schedulers, workers, config, env}
  static async make(options) {
    const world = new Hosts();
    Object.assign(world, { schedulers: 1, workers: 1, gap_ms: 1000, config: {},
      env: {}, kind: 'github', ...options });
    world.dir = fs.mkdtempSync(path.join(world.tmp, `${world.kind}-`));
    for (const dir of [world.tmp, world.dir]) fs.chmodSync(dir, 0o711);
    world.fake = await start({ kind: world.kind, tmp: world.dir,
      validate: world.validate, gap_ms: world.kind === 'github' ? world.gap_ms : 0 });
    await world.account();
    await world.startRedis();
    world.makeServices();
    return world;
  }

  call(name, args) {
    return this.fake.call(name, args);
  }

  file(name, text) {
    const file = path.join(this.dir, name);
    fs.writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  // ---- who we are ------------------------------------------------------------

  async account() {
    if (this.kind === 'github') {
      const app = await this.call('setApp');
      this.file('app.pem', app.private_key);
      this.own = { app: app.id, app_key: `file:${this.dir}/app.pem` };
      this.login = 'berth[bot]';
    } else {
      this.file('token', await this.call('addToken', { login: 'berth' }));
      this.own = { token: `file:${this.dir}/token` };
      this.login = 'berth';
    }
    this.file('secret', SECRET);
  }

  // {permissions} of people; the host's account has its own.
  async addRepo(name, { permissions = {}, ...more } = {}) {
    await this.call('addRepo', { name, ...more,
      permissions: { berth: 'write', ...permissions } });
    if (this.kind === 'github' && !more.fork_of)
      this.installation = (await this.call('install', { repos: [name] })).id;
  }

  // ---- processes ---------------------------------------------------------------

  async startRedis() {
    this.socket = path.join(this.dir, 'r');
    this.redisServer = new Service('redis', this.dir, ['redis-server', '--port',
      '0', '--unixsocket', this.socket, '--dir', this.dir, '--save', '',
      '--appendonly', 'yes', '--appendfsync', 'always'], {});
    await this.connect();
  }

  async connect() {
    this.redisServer.start();
    await until('Redis', () => {
      try {
        return execFileSync('redis-cli', ['-s', this.socket, 'ping'],
          { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim() === 'PONG';
      } catch {
        return false;
      }
    });
    this.redis = new Redis(this.socket);
  }

  makeServices() {
    this.state = path.join(this.dir, 'state');
    this.all = [];
    for (let i = 1; i <= this.workers; i++) this.all.push(this.worker(`w${i}`));
    for (let i = 1; i <= this.schedulers; i++)
      this.all.push(this.scheduler(`s${i}`));
  }

  configFor(name, more) {
    return this.file(`${name}.yml`, JSON.stringify({
      redis: { url: `unix://${this.socket}` }, pool: { name: POOL,
        max_instances: 4 },
      queue: { backoff: '1s', backoff_max: '2s', infrastructure_retries: 20 },
      lease: { duration: '20s', renew: '2s', kill_after: '12s', kill_grace: '3s' },
      state_dir: path.join(this.state, name.replace(/^s/, 'of-s')),
      webhooks: { [`${this.kind}_url`]: this.fake.url,
        ...this.config.webhooks }, ...more }));
  }

  worker(name) {
    const file = this.configFor(name, { worker: { name, capacity: 3, poll: '1s',
      min_disk: '1KiB', min_memory: '1KiB' },
    secrets: { env_prefix: 'HOSTS_SECRET_',
      allow: ['http+/127.0.0.1:*/acme/*'] },
    // Only GitHub's Apps make tokens for one repository.
    ...(this.kind === 'github' ? {} : { checkout: { credentials:
      [`http+/127.0.0.1:*/acme/*=file:${this.dir}/token`] } }),
    ...this.config.worker });
    fs.mkdirSync(path.join(this.state, name), { recursive: true, mode: 0o711 });
    const key = execFileSync(berth, ['worker-key', '--config', file]).toString()
      .trim();
    this.enrolled = [...(this.enrolled || []), key];
    return new Service(name, this.dir, [berth, 'worker', '--config', file],
      this.env);
  }

  scheduler(name) {
    const file = this.configFor(name, { scheduler: { tick: '1s',
      workers: this.enrolled },
    webhooks: { listen: '127.0.0.1:0', max_rate: 0, reconcile: '0s',
      [`${this.kind}_url`]: this.fake.url,
      [`${this.kind}_secrets`]: [`file:${this.dir}/secret`],
      ...this.config.webhooks },
    [this.kind]: { api_url: this.fake.api, ...this.own },
    report: { gap: `${this.gap_ms}ms`.replace(/000ms$/, 's'),
      ...this.config.report } });
    return new Service(name, this.dir, [berth, 'scheduler', '--name', name,
      '--config', file], this.env);
  }

  log(name) {
    const file = path.join(this.dir, `${name}.log`);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  }

  // Where a scheduler that was started `starts` times listens now.
  port(service) {
    const all = [...this.log(service.name).matchAll(/on port (\d+)/g)];
    return all.length >= service.starts ? Number(all.at(-1)[1]) : 0;
  }

  the(name) {
    return this.all.find((s) => s.name === name);
  }

  // What is of a kind: "s" or "w".
  async start(kinds = 'sw') {
    const all = this.all.filter((s) => kinds.includes(s.name[0]));
    for (const service of all) service.start();
    for (const service of all.filter((s) => s.name[0] === 's'))
      await this.listens(service);
  }

  async listens(service) {
    await until(`${service.name} to listen`, () => {
      if (!service.alive()) throw new Error(this.log(service.name));
      return this.port(service);
    });
    this.hook();
  }

  // Deliveries go to one of those that listen, as by one address.
  hook() {
    const alive = this.all.find((s) => /^s/.test(s.name) && s.alive() &&
      this.port(s));
    if (!alive) return;
    this.way ||= { secret: SECRET, events: null };
    this.way.url = `http://127.0.0.1:${this.port(alive)}/webhooks/${this.kind}`;
    this.fake.hooks.list = [this.way];
  }

  async stop() {
    for (const service of [...this.all].reverse()) {
      service.signal('SIGTERM');
      await service.ended(20000);
    }
    this.redis.close?.();
    this.redisServer.signal('SIGKILL');
    await this.fake.stop();
  }

  // ---- what happened -------------------------------------------------------------

  key(rest) {
    return `berth:{${POOL}}:${rest}`;
  }

  // Of a change, in the order in which they were made.
  async jobs(repo, number) {
    const ids = await this.redis.call('ZRANGE',
      this.key(`change:${this.kind}:${repo}:${number}`), '0', '-1');
    return Promise.all(ids.map((id) => this.job(id)));
  }

  async job(id) {
    const flat = await this.redis.call('HGETALL', this.key(`job:${id}`));
    const all = { id };
    for (let i = 0; i < flat.length; i += 2) all[flat[i]] = flat[i + 1];
    return { ...all, about: JSON.parse(all.report || '{}') };
  }

  berth(...words) {
    return execFileSync(berth, [...words, '--redis', `unix://${this.socket}`,
      '--pool', POOL], { stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BERTH_STATE_DIR: path.join(this.state, 'w1') } })
      .toString();
  }

  logOf(id) {
    return this.berth('logs', id);
  }

  // Nothing that came is not dealt with, and nothing that is known is not told.
  async isQuiet() {
    if (Number(await this.redis.call('ZCARD',
      this.key(`deliveries:waiting:${this.kind}`))))
      return false;
    return !Number(await this.redis.call('ZCARD',
      this.key(`outbox:${this.kind}`)));
  }

  quiet(ms) {
    return until('all to be told', () => this.isQuiet(), ms);
  }

  async emit(args) {
    const [sent] = await this.call('emit', args);
    if (sent && sent.status_code >= 300)
      throw new Error(`${sent.status_code} ${sent.status}`);
    return sent;
  }

  // ---- what people see -------------------------------------------------------------

  change(repo, number) {
    return this.fake.store.change(repo, number);
  }

  checks(repo, sha) {
    const { checks, statuses } = this.fake.store.repo(repo);
    return this.kind === 'github' ? checks.filter((c) => c.head_sha === sha)
      : statuses.filter((s) => s.sha === sha);
  }

  threads(repo, number, open = true) {
    return this.change(repo, number).threads.filter((t) =>
      FINDING.test(t.notes[0]?.body) && (!open || !(t.resolved ||
        /is fixed/.test(t.notes[0].body))));
  }

  summaries(repo, number) {
    return this.change(repo, number).comments.filter((c) => SUMMARY.test(c.body));
  }
}

module.exports = { Hosts, FINDING, SUMMARY, SECRET, POOL, until, pause, crypto };
