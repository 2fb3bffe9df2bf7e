// tests/lib/report_world.js - a change on a Git host, and `forge` that reports.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { Forge } = require('./forge');
const { start } = require('./forge_host');

const REPO = 'o/r';
const FINDING = /^<!-- berth:finding ([0-9a-f]{32}) -->/;
const SUMMARY = /^<!-- berth:summary /;
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-report-'));
process.on('exit', () => fs.rmSync(top, { recursive: true, force: true }));

const MAIN = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
const changed = (lines, at, ...texts) => [...lines.slice(0, at - 1), ...texts,
  ...lines.slice(at)];
const text = (lines) => lines.join('\n') + '\n';
// Lines 5, 15 and 25 are others, and one is more.
const FIRST = changed(changed(changed(MAIN, 25, 'var c = 3;'), 15, 'var b = 2;',
  'var bb = 2;'), 5, 'var a = 1;');

const KEYS = crypto.generateKeyPairSync('rsa', { modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' } });

// ---- a world --------------------------------------------------------------------

class World {
  // `validate`: hold requests to GitHub against its own description.
  static async make(kind, { app = kind === 'github', validate = false } = {}) {
    const world = new World();
    world.fake = await start({ kind, tmp: top, validate, gap_ms: 0 });
    Object.assign(world, { kind, app, posted: {}, job: 'job-1' });
    await world.fill();
    world.start();
    return world;
  }

  call(name, args) {
    return this.fake.call(name, args);
  }

  async fill() {
    await this.call('addRepo', { name: REPO, permissions: { berth: 'write' } });
    await this.call('commit', { repo: REPO, branch: 'main',
      files: { 'a.js': text(MAIN), 'far.js': text(MAIN) } });
    await this.call('commit', { repo: REPO, branch: 'topic', from: 'main',
      files: { 'a.js': text(FIRST) } });
    await this.call('addChange', { repo: REPO, head: 'topic', author: 'dev' });
    this.setup = { forge: this.kind, api_url: this.fake.api,
      base_url: this.fake.url, ca: '', app: '', app_key: '', token: '', gap_ms: 0,
      timeout_ms: 5000 };
    if (this.app) {
      const { id } = await this.call('setApp', { public_key: KEYS.publicKey });
      this.installation = (await this.call('install', { repos: [REPO] })).id;
      Object.assign(this.setup, { app: id, app_key: KEYS.privateKey });
    } else {
      this.setup.token = await this.call('addToken', { login: 'berth' });
    }
    this.login = this.app ? 'berth[bot]' : 'berth';
  }

  start() {
    this.forge = new Forge(this.setup);
  }

  kill() {
    this.forge.child.kill('SIGKILL');
    return this.forge.ended;
  }

  async stop() {
    await this.forge.end();
    await this.fake.stop();
  }

  get change() {
    return this.fake.store.change(REPO, 1);
  }

  // What a scheduler asks; it remembers what was posted.
  async report(findings, more = {}) {
    const { check, ...rest } = more;
    const answer = await this.forge.ask('report', { repo: REPO,
      installation: this.installation || 0, commit: this.change.head_sha,
      change: 1, latest: true, check: { name: 'berth / review',
        external_id: this.job, state: 'passed', reason: '', message: '',
        attempt: 1, started_at_ms: 1700000000000, ended_at_ms: 1700000060000,
        url: 'https://berth.example.org/jobs/1', fork: false, ...check },
      key: 'review', title: 'Review', findings: findings &&
        { schema: 1, findings, tests: { passed: 0, failed: 0, skipped: 0 } },
      note: '', posted: this.posted, max_comments: 20, max_rows: 50,
      request_changes: false, ...rest });
    if (answer.posted) this.posted = answer.posted;
    return answer;
  }

  // Until it is done; what it said on the way.
  async settle(findings, more) {
    const said = [];
    for (let tries = 0; tries < 8; tries++) {
      const answer = await this.report(findings, more);
      if (!answer.error && !answer.died) return { answer, said };
      said.push(answer);
      if (answer.died) this.start();
      if (answer.after_ms)
        await new Promise((r) => setTimeout(r, answer.after_ms));
    }
    return { answer: said.at(-1), said };
  }

  // ---- what people see ----

  threads(open = true) {
    return this.change.threads.filter((t) => FINDING.test(t.notes[0]?.body) &&
      (!open || !this.isClosed(t)));
  }

  isClosed(thread) {
    return thread.resolved || /is fixed/.test(thread.notes[0].body);
  }

  summaries() {
    return this.change.comments.filter((c) => SUMMARY.test(c.body));
  }

  // Of a commit, as the host would show: name and state, and how many.
  checks(sha = this.change.head_sha) {
    const repo = this.fake.store.repo(REPO);
    if (this.app)
      return repo.checks.filter((c) => c.head_sha === sha);
    return repo.statuses.filter((s) => s.sha === sha);
  }

  isClean() {
    const { violations, broken } = this.fake;
    return !violations.length && !broken.length;
  }

  writes() {
    return this.fake.counts.writes;
  }
}

const issue = (line, message, more = {}) => ({ kind: 'issue', severity: 'warning',
  tool: 'lint', path: 'a.js', line, end_line: more.end_line || line, message,
  ...more });
const FIX = { text: 'let a = 1;', line: 5, end_line: 5, unit: 'bytes' };
const THREE = [issue(5, 'no var', { fix: FIX }),
  issue(15, 'too much', { severity: 'error', end_line: 16 }),
  issue(26, 'no c')];
const FAR = issue(3, 'far away', { path: 'far.js' });

// One check, one comment for each of three findings, one summary with a row.
function isWhole(world, count = 3) {
  const prints = world.threads().map((t) => FINDING.exec(t.notes[0].body)[1]);
  return new Set(prints).size === count && prints.length === count &&
    world.summaries().length === 1 && oneCheck(world);
}

function oneCheck(world) {
  const checks = world.checks();
  const done = checks.filter((c) => ['success', 'completed'].includes(
    world.app ? c.status : c.state));
  return done.length === 1 && checks.at(-1) === done[0] &&
    (!world.app || (checks.length === 1 && done[0].conclusion === 'success'));
}

const shown = (world) => ({ checks: world.checks(), summaries: world.summaries(),
  threads: world.change.threads, violations: world.fake.violations,
  broken: world.fake.broken, requests: world.fake.requests.slice(-12).map((r) =>
    `${r.method} ${r.path} ${r.status} ${r.fault || ''}`) });

module.exports = { World, REPO, MAIN, FIRST, THREE, FAR, FIX, SUMMARY, text, issue,
  isWhole, oneCheck, shown };
