#!/usr/bin/env node
// tests/integration/report.test.js - `forge` reports to Git hosts: whatever goes
// wrong there is one check, one comment for each finding, one summary.
// timeout 240
// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Fake } = require('../fakes/forge/server');
const { ForgeProgram } = require('../lib/forge_program');
const { ok, end } = require('../lib/tap');

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

// ---- a world --------------------------------------------------------------------

class World {
  static async make(kind, { app = kind === 'github', ...options } = {}) {
    const world = new World();
    world.dir = fs.mkdtempSync(path.join(top, `${kind}-`));
    world.fake = await new Fake({ kind, dir: world.dir, gap_ms: 0 }).start();
    Object.assign(world, { kind, app, posted: {}, job: 'job-1', ...options });
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
      const { id, private_key } = await this.call('setApp', {});
      this.installation = (await this.call('install', { repos: [REPO] })).id;
      Object.assign(this.setup, { app: id, app_key: private_key });
    } else {
      this.setup.token = await this.call('addToken', { login: 'berth' });
    }
    this.login = this.app ? 'berth[bot]' : 'berth';
  }

  start() {
    this.forge = new ForgeProgram(this.setup);
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
      if (!answer.error) return { answer, said };
      said.push(answer);
      if (answer.error === 'died') this.start();
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

// ---- the life of a change ----------------------------------------------------------

async function life(kind, options) {
  const world = await World.make(kind, options);
  const name = `${kind}${world.app ? ', App' : ''}`;
  for (const state of ['queued', 'running'])
    await world.report(null, { check: { state, ended_at_ms: 0 } });
  ok(world.checks().length >= 1 && !world.change.comments.length,
    `${name}: a check before there are findings`, shown(world));

  let answer = await world.report([...THREE, FAR]);
  ok(!answer.error && answer.comments === 3 && isWhole(world) && world.isClean(),
    `${name}: the first report`, answer, shown(world));
  const [summary] = world.summaries();
  ok(/far\.js/.test(summary.body) && !/no var/.test(summary.body),
    `${name}: what is outside the diff has a row`, summary);
  const states = Object.values(answer.posted);
  ok(states.length === 3 && states.every((s) => s === 'open'),
    `${name}: says what was posted`, answer);
  const lines = world.threads().map((t) => `${t.start_line ?? ''}-${t.line}`);
  ok(lines.includes('-5') && lines.includes('-26') &&
    lines.includes(kind === 'gitea' ? '-16' : '15-16'), `${name}: at the lines`,
  lines);
  if (kind !== 'gitea')
    ok(world.threads().some((t) => /```suggestion/.test(t.notes[0].body)),
      `${name}: with a suggestion`, shown(world));

  let writes = world.writes();
  answer = await world.report([...THREE, FAR]);
  await world.report(null, { check: { state: 'running', ended_at_ms: 0 } });
  ok(world.writes() === writes && isWhole(world) && answer.comments === 0,
    `${name}: again, and late: nothing is written`, answer, shown(world));

  // A person has seen enough of the first; another one imitates a comment.
  const first = world.threads().find((t) => /no var/.test(t.notes[0].body));
  Object.assign(first, { resolved: true, resolver: 'dev' });
  await world.call('comment', { repo: REPO, number: 1, author: 'mallory',
    body: '<!-- berth:summary review -->\nNothing was found.' });
  writes = world.writes();
  answer = await world.report([...THREE, FAR]);
  ok(world.threads().length === 2 && world.writes() === writes &&
    Object.values(answer.posted).filter((s) => s === 'resolved').length === 1,
  `${name}: a resolved comment is not made again`, answer, shown(world));

  // All moves by two, c is fixed, there is a new one.
  const old = world.change.head_sha;
  const moved = ['// new', 'var d = 4;', ...FIRST.map((l) =>
    l === 'var c = 3;' ? MAIN[24] : l)];
  await world.call('commit', { repo: REPO, branch: 'topic',
    files: { 'a.js': text(moved) } });
  world.job = 'job-2';
  answer = await world.report([issue(2, 'no d'), issue(7, 'no var'),
    issue(17, 'too much', { severity: 'error', end_line: 18 }), FAR]);
  const open = world.threads().map((t) => t.notes[0].body);
  ok(!answer.error && answer.comments === 1 && answer.resolved === 1 &&
    open.length === 2 && open.some((b) => /no d/.test(b)) &&
    open.some((b) => /too much/.test(b)) && oneCheck(world),
  `${name}: a push: one is new, one fixed, one moved, one still resolved`, answer,
  open, shown(world));
  ok(world.change.comments.filter((c) => SUMMARY.test(c.body)).length === 2,
    `${name}: one summary beside that of somebody else`, shown(world));

  writes = world.writes();
  answer = await world.report([...THREE, FAR], { commit: old });
  ok(!answer.error && answer.comments === 0 && world.threads().length === 2 &&
    answer.notes.some((n) => /younger commit/.test(n)),
  `${name}: of an older commit only the check`, answer, shown(world));

  // A comment that is removed does not come back.
  const gone = world.threads().find((t) => /no d/.test(t.notes[0].body));
  const { threads } = world.change;
  threads.splice(threads.indexOf(gone), 1);
  answer = await world.report([issue(2, 'no d')], { check: { state: 'failed',
    reason: 'step_failed' } });
  ok(answer.comments === 0 && world.threads().length === 0 &&
    Object.values(answer.posted).includes('gone'),
  `${name}: a removed comment is not made again`, answer, shown(world));
  ok(world.isClean(), `${name}: the host had no objections`, world.fake.violations,
    world.fake.broken);
  await world.stop();
}

async function nothing(kind) {
  const world = await World.make(kind);
  const answer = await world.report([]);
  ok(!answer.error && !world.change.comments.length && oneCheck(world),
    `${kind}: nothing found, nothing said but the check`, answer, shown(world));
  await world.stop();
}

// ---- limits -------------------------------------------------------------------------

async function room(kind) {
  const world = await World.make(kind);
  let answer = await world.report([...THREE, FAR], { max_comments: 1 });
  const [only] = world.threads();
  ok(answer.comments === 1 && /too much/.test(only?.notes[0].body) &&
    /no var/.test(world.summaries()[0].body), `${kind}: the worst first`, answer,
  shown(world));
  answer = await world.report([...THREE, FAR], { max_comments: 1 });
  ok(answer.comments === 0 && isWhole(world, 1), `${kind}: and no more next time`,
    answer, shown(world));
  await world.stop();
}

async function oneBad(kind) {
  const world = await World.make(kind);
  world.call('fault', { kind: '422', method: 'POST',
    path: '(reviews|discussions)$', count: kind === 'gitlab' ? 1 : 2 });
  let answer = await world.report(THREE);
  ok(!answer.error && answer.comments === 2 && world.threads().length === 2 &&
    /too much/.test(world.summaries()[0]?.body) &&
    answer.notes.some((n) => /1 comments/.test(n)),
  `${kind}: one comment is refused, the others stand`, answer, shown(world));
  answer = await world.report(THREE);
  ok(answer.comments === 1 && isWhole(world) &&
    !/too much/.test(world.summaries()[0]?.body),
  `${kind}: and is taken next time`, answer, shown(world));
  await world.stop();
}

async function annotations() {
  const world = await World.make('github');
  const many = Array.from({ length: 120 }, (_, i) =>
    issue(i % 30 + 1, `far ${i}`, { path: 'far.js' }));
  world.call('fault', { kind: '500', method: 'PATCH', path: 'check-runs' });
  let answer = await world.report(many);
  ok(answer.error === 'away' && world.checks()[0].annotations.length === 50,
    'annotations: one batch went through', answer);
  answer = await world.report(many);
  const messages = world.checks()[0].annotations.map((a) => a.message);
  ok(!answer.error && messages.length === 120 && new Set(messages).size === 120,
    'annotations: each once', answer, messages.length);
  const writes = world.writes();
  await world.report(many);
  ok(world.writes() === writes, 'annotations: and not again');
  const { actions } = world.checks()[0];
  ok(actions.some((a) => a.identifier === 'rerun') &&
    !actions.some((a) => a.identifier === 'approve'), 'the check has actions',
  actions);
  await world.report(many, { check: { fork: true, state: 'failed',
    reason: 'timed_out' } });
  const [run] = world.checks();
  ok(run.conclusion === 'timed_out' && run.actions.some((a) =>
    a.identifier === 'approve') && run.annotations.length === 120,
  'the check of a fork can be approved', run.conclusion, run.actions);
  await world.stop();
}

async function sizes(kind, options) {
  const world = await World.make(kind, options);
  const many = Array.from({ length: 900 }, (_, i) => issue(i + 1,
    '😀'.repeat(90) + i, { path: 'far.js' }));
  const long = issue(5, 'x'.repeat(8000), { why: '`'.repeat(8000),
    fix: { ...FIX, text: 'y\n'.repeat(8000) } });
  const answer = await world.report([...many, long], { max_rows: 1000,
    note: '_A note at the foot._', check: { state: 'failed',
      reason: 'step_failed', message: 'ü'.repeat(3000) } });
  const [summary] = world.summaries();
  ok(!answer.error && world.threads().length === 1 &&
    (kind === 'gitlab' || /more in the log/.test(summary?.body)) && /at the foot/.test(summary?.body) &&
    world.isClean(), `${kind}: what is long is cut`, answer, shown(world));
  const failed = await world.report(null, { check: { state: 'failed',
    reason: 'step_failed', message: '😀'.repeat(200), external_id: 'job-9' } });
  ok(!failed.error && world.isClean(), `${kind}: a long message, too`, failed,
    shown(world));
  await world.stop();
}

// ---- what goes wrong ----------------------------------------------------------------

const WRITES = { github: ['check-runs', 'reviews$', 'issues/1/comments'],
  gitlab: ['statuses/', 'discussions$', 'notes$'],
  gitea: ['statuses/', 'reviews$', 'issues/1/comments'] };
const PASSING = ['500', '502', '503', 'cut', 'cut-after', '429', 'primary',
  'secondary', 'garbage'];
const REFUSED = ['403', '404'];

async function faults(kind) {
  for (const fault of [...PASSING, ...REFUSED])
    for (const where of WRITES[kind]) {
      if (fault === 'primary' && kind !== 'github') continue;
      if (fault === 'secondary' && kind !== 'github') continue;
      const world = await World.make(kind);
      world.call('fault', { kind: fault, method: 'POST', path: where, seconds: 1 });
      const { answer, said } = await world.settle([...THREE, FAR]);
      const refused = REFUSED.includes(fault);
      const second = refused ? await world.report([...THREE, FAR]) : answer;
      ok(!answer.error && !second.error && isWhole(world) && world.isClean() &&
        (refused ? said.length === 0 && answer.notes.length > 0
          : said.length === 1 && ['away', 'paused'].includes(said[0].error)),
      `${kind}: ${fault} of ${where}`, answer, said, shown(world));
      await world.stop();
    }
}

async function readFaults(kind) {
  for (const fault of ['503', '404', '403', 'garbage']) {
    const world = await World.make(kind);
    world.call('fault', { kind: fault, method: 'GET',
      count: REFUSED.includes(fault) ? 1 : 2, path: kind === 'gitlab' ? 'diffs$' : '/pulls/1(\\.diff)?$' });
    const first = await world.report([...THREE, FAR]);
    const checked = oneCheck(world);
    const { answer } = await world.settle([...THREE, FAR]);
    ok(checked && !answer.error && isWhole(world),
      `${kind}: ${fault} of the diff does not cost the check`, first, answer,
      shown(world));
    await world.stop();
  }
}

async function statusTwice() {
  const world = await World.make('gitlab');
  world.call('fault', { kind: '409', method: 'POST', path: 'statuses/' });
  const { answer, said } = await world.settle(THREE);
  ok(said.length === 1 && said[0].error === 'away' && !answer.error &&
    isWhole(world), 'gitlab: 409 is tried again', said, answer);
  await world.stop();
}

// Killed behind or before its nth request, for every n.
async function killed(kind, before) {
  let n = 0;
  let bad = null;
  for (let hit = true; hit && !bad && n < 60; n++) {
    const world = await World.make(kind);
    const answerOf = world.fake.answer.bind(world.fake);
    let seen = 0;
    hit = false;
    world.fake.answer = async (ctx, entry) => {
      const now = seen++ === n;
      hit ||= now;
      if (now && before) await world.forge.kill();
      if (now && before) return { status: 500, body: '' };
      const made = await answerOf(ctx, entry);
      if (now) await world.forge.kill();
      return made;
    };
    const { answer } = await world.settle([...THREE, FAR]);
    await world.report([...THREE, FAR]);
    if (answer.error || !isWhole(world) || !world.isClean())
      bad = { n, answer, ...shown(world) };
    await world.stop();
  }
  ok(!bad && n > 5, `${kind}: killed ${before ? 'before' : 'behind'} each of ` +
    `${n - 1} requests`, bad);
}

// ---- GitHub's own ---------------------------------------------------------------------

async function noRights() {
  const world = await World.make('github');
  await world.report(THREE);
  world.fake.options.resolve_needs_contents = true;
  const answer = await world.report(THREE.slice(0, 2));
  ok(!answer.error && answer.resolved === 1 && world.threads().length === 2 &&
    world.threads(false).length === 3, 'without the right to resolve it says so',
  answer, shown(world));
  const writes = world.fake.requests.filter((r) => r.method === 'PATCH').length;
  await world.report(THREE.slice(0, 2));
  ok(world.fake.requests.filter((r) => r.method === 'PATCH').length === writes,
    'and says so once', shown(world));
  await world.report(THREE);
  ok(world.threads().length === 3, 'and it is back when it is found again',
    shown(world));
  await world.stop();
}

async function requestChanges() {
  const world = await World.make('github', { app: false });
  let answer = await world.report(THREE, { request_changes: true });
  ok(!answer.error && world.change.reviews[0].state === 'CHANGES_REQUESTED',
    'errors ask for changes', answer, world.change.reviews);
  await world.stop();
  const own = await World.make('github', { app: false });
  own.change.author = 'berth';
  answer = await own.report(THREE, { request_changes: true });
  ok(!answer.error && own.change.reviews[0]?.state === 'COMMENTED' &&
    isWhole(own), 'but not of our own change', answer, shown(own));
  await own.stop();
}

async function cancelled() {
  const world = await World.make('github');
  await world.report(THREE);
  const answer = await world.report(THREE.slice(0, 1), { check: {
    state: 'cancelled', reason: 'cancelled' } });
  ok(!answer.error && answer.resolved === 0 && world.threads().length === 3,
    'what a cancelled job did not find is not fixed', answer, shown(world));
  const wrong = await world.forge.ask('report', { repo: REPO, commit: 'HEAD' });
  ok(wrong.error === 'bug', 'a report that is none is refused', wrong);
  await world.stop();
}

async function main() {
  await life('github');
  await life('github', { app: false });
  await life('gitlab');
  await life('gitea');
  for (const kind of ['github', 'gitlab', 'gitea']) {
    await nothing(kind);
    await room(kind);
    await oneBad(kind);
    await sizes(kind);
    await faults(kind);
    await readFaults(kind);
    await killed(kind, false);
    await killed(kind, true);
  }
  await sizes('github', { app: false });
  await statusTwice();
  await annotations();
  await noRights();
  await requestChanges();
  await cancelled();
  end();
}

main().catch((error) => {
  ok(false, 'the test itself', error);
  end();
});
