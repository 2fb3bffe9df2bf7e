#!/usr/bin/env node
// tests/integration/report.test.js - what `forge` reports on the three hosts.
// timeout 240
// long 60
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { World, REPO, MAIN, FIRST, THREE, FAR, FIX, SUMMARY, text, issue, isWhole,
  oneCheck, shown } = require('../lib/report_world');
const { ok, end } = require('../lib/tap');

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

// What we resolved because it was fixed is raised again when it is back; what a
// person resolved or removed is not, though it was fixed and back before.
async function back(kind, options) {
  const world = await World.make(kind, options);
  const name = `${kind}${world.app ? ', App' : ''}`;
  const find = (what) => world.threads().filter((t) =>
    what.test(t.notes[0].body));
  await world.report(THREE);
  let answer = await world.report([]);
  const words = () => Object.values(world.posted).sort().join();
  ok(!answer.error && world.threads().length === 0 && answer.resolved === 3 &&
    words() === 'fixed,fixed,fixed', `${name}: all is fixed`, answer,
  shown(world));
  let writes = world.writes();
  await world.report([]);
  ok(world.writes() === writes && words() === 'fixed,fixed,fixed',
    `${name}: and stays so`, world.posted, shown(world));

  // It is not known whether it was said: the host knows who closed them.
  if (kind !== 'gitea') world.posted = {};
  answer = await world.report(THREE.slice(0, 2));
  ok(!answer.error && find(/no var/).length === 1 &&
    find(/too much/).length === 1 && world.threads().length === 2 &&
    world.threads(false).length === 3 &&
    words() === 'fixed,open,open', `${name}: two are back`, answer,
  shown(world));
  writes = world.writes();
  await world.report(THREE.slice(0, 2));
  ok(world.writes() === writes, `${name}: once`, shown(world));

  // Dismissed while it was back; another one after it was fixed again.
  Object.assign(find(/no var/)[0], { resolved: true, resolver: 'dev' });
  answer = await world.report([]);
  ok(!answer.error && answer.resolved === 1, `${name}: one is fixed again`,
    answer, shown(world));
  answer = await world.report(THREE);
  ok(!answer.error && find(/no var/).length === 0 &&
    find(/too much/).length === 1 && find(/no c/).length === 1 &&
    words() === 'open,open,resolved',
  `${name}: what was dismissed stays away, the others are back`, answer,
  shown(world));
  ok(world.isClean(), `${name}: the host had no objections to that`,
    world.fake.violations, world.fake.broken);
  await world.stop();
}

// What two pipelines find has one comment, for as long as either finds it.
async function shared(kind) {
  const world = await World.make(kind);
  const lint = { key: 'lint', title: 'Lint', check: { name: 'berth / lint',
    external_id: 'job-lint' } };
  await world.report(THREE);
  let answer = await world.report(THREE.slice(0, 1), lint);
  ok(!answer.error && answer.comments === 0 && world.threads().length === 3,
    `${kind}: another pipeline finds one of them`, answer, shown(world));
  let writes = world.writes();
  await world.report(THREE.slice(0, 1), lint);
  await world.report(THREE);
  ok(world.writes() === writes, `${kind}: that is written once`, shown(world));
  answer = await world.report(THREE.slice(1));
  ok(!answer.error && answer.resolved === 0 && world.threads().length === 3,
    `${kind}: the first finds it no more: it stays open for the other`, answer,
    shown(world));
  writes = world.writes();
  await world.report(THREE.slice(1));
  ok(world.writes() === writes, `${kind}: once`, shown(world));
  answer = await world.report([], lint);
  ok(!answer.error && answer.resolved === 1 && world.threads().length === 2,
    `${kind}: nobody finds it: it is resolved`, answer, shown(world));
  ok(world.isClean(), `${kind}: the host had no objections to that either`,
    world.fake.violations, world.fake.broken);
  await world.stop();
}

// Its line was in no diff for a while.
async function backElsewhere(kind) {
  const world = await World.make(kind);
  await world.report(THREE);
  await world.call('commit', { repo: REPO, branch: 'topic',
    files: { 'a.js': text(MAIN.map((l, i) => (i === 0 ? 'first' : l))) } });
  world.job = 'job-2';
  let answer = await world.report([]);
  ok(!answer.error && world.threads().length === 0, `${kind}: all is removed`,
    answer, shown(world));
  await world.call('commit', { repo: REPO, branch: 'topic',
    files: { 'a.js': text(FIRST) } });
  world.job = 'job-3';
  answer = await world.report(THREE);
  // Gitea has no threads to open again: its comments say it again.
  ok(!answer.error && isWhole(world) &&
    answer.comments === (kind === 'gitea' ? 0 : 3), `${kind}: all is back`, answer, shown(world));
  await world.stop();
}

async function nothing(kind) {
  const world = await World.make(kind);
  const answer = await world.report([]);
  ok(!answer.error && !world.change.comments.length && oneCheck(world),
    `${kind}: nothing found, nothing said but the check`, answer, shown(world));
  await world.stop();
}

// A renamed file whose names are odd, lines that are gone, and unchanged ones.
async function places(kind) {
  const world = await World.make(kind);
  const named = MAIN.map((l, i) => `${l} of the file ${i * 7}`);
  const name = 'dir/\u00fc "#1".js';
  await world.call('commit', { repo: REPO, branch: 'main',
    files: { 'old name.js': text(named) } });
  await world.call('commit', { repo: REPO, branch: 'topic', from: 'main',
    files: { 'old name.js': null, [name]: text(named.map((l, i) =>
      i === 9 ? 'other' : l)), 'new.js': text(MAIN.map((l, i) => `n${i * i}`)),
      'far.js': null } });
  const answer = await world.report([
    issue(10, 'new', { path: name }),
    issue(10, 'old', { path: 'old name.js', side: 'old' }),
    issue(9, 'same', { path: name, end_line: 10 }),
    issue(4, 'added', { path: 'new.js', end_line: 6 }),
    issue(4, 'deleted', { path: 'far.js', side: 'old', end_line: 6 })]);
  ok(!answer.error && answer.comments === 5 && isWhole(world, 5) &&
    world.isClean(), `${kind}: renamed, new, removed and unchanged lines`, answer,
  shown(world));
  const [summary] = world.summaries();
  ok(!/\| Where/.test(summary.body), `${kind}: with nothing left for rows`, summary);
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

// However many statuses of others a commit has, ours is found.
async function manyStatuses(kind) {
  const world = await World.make(kind, { app: false });
  await world.report([]);
  const all = world.checks(), { statuses } = world.fake.store.repo(REPO);
  for (let i = 0; i < 230; i++)
    statuses.push({ ...all[0], id: world.fake.store.id(), context: `other ${i}` });
  const writes = world.writes();
  const answer = await world.report([]);
  ok(!answer.error && world.writes() === writes && all.length === 1 &&
    world.isClean(), `${kind}: among many statuses ours is found`, answer,
  shown(world).requests);
  await world.stop();
}

// Our summary is behind more comments than can be listed.
async function manyComments(kind) {
  const world = await World.make(kind, { app: false });
  for (let i = 0; i < 800; i++)
    await world.call('comment', { repo: REPO, number: 1, author: 'dev',
      body: 'x'.repeat(65000) });
  let answer = await world.report([FAR]);
  ok(!answer.error && world.summaries().length === 1 && !answer.notes.length,
    `${kind}: 52 MB of comments are listed`, answer, shown(world).requests);
  const other = [issue(4, 'another', { path: 'far.js' })];
  answer = await world.report(other);
  ok(!answer.error && world.summaries().length === 1 && world.isClean() &&
    answer.notes.some((n) => /too many comments to find the summary/.test(n)),
  `${kind}: of more, there is no second summary`, answer, shown(world).requests);
  world.change.comments.shift();
  answer = await world.report(other);
  ok(!answer.error && /another/.test(world.summaries()[0].body) &&
    !answer.notes.length, `${kind}: and it is found again`, answer);
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
    (kind === 'gitlab' || /more in the log/.test(summary?.body)) &&
    /at the foot/.test(summary?.body) &&
    world.isClean(), `${kind}: what is long is cut`, answer, shown(world));
  const failed = await world.report(null, { check: { state: 'failed',
    reason: 'step_failed', message: '😀'.repeat(200), external_id: 'job-9' } });
  ok(!failed.error && world.isClean(), `${kind}: a long message, too`, failed,
    shown(world));
  await world.stop();
}

// Where the host has no diff of all it comes file by file.
async function byFiles(kind) {
  const world = await World.make(kind, { validate: kind === 'github' });
  const [wanted, whole] = kind === 'github' ? [/pulls\/1\/files/, 406]
    : [/merge_requests\/1\/changes/, 404];
  if (kind === 'github') world.fake.options.max_diff_lines = 3;
  else world.call('fault', { kind: '404', method: 'GET', path: 'diffs$' });
  const answer = await world.report([...THREE, FAR]);
  const asked = world.fake.requests.find((r) => wanted.test(r.path));
  ok(!answer.error && asked?.status === 200 && isWhole(world) && world.isClean() &&
    world.fake.requests.some((r) => r.status === whole) &&
    /far\.js/.test(world.summaries()[0].body),
  `${kind}: without a diff of all, by files`, answer, shown(world));
  await world.stop();
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
  const writes = world.writes();
  await world.report(THREE.slice(0, 2));
  ok(world.writes() === writes, 'and says so once', shown(world));
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
  await life('github', { validate: true });
  await life('github', { app: false });
  await life('gitlab');
  await life('gitea');
  await back('github', { validate: true });
  await back('github', { app: false });
  await back('gitlab');
  await back('gitea');
  for (const kind of ['github', 'gitlab', 'gitea']) {
    await backElsewhere(kind);
    await shared(kind);
    await nothing(kind);
    await places(kind);
    await room(kind);
    await oneBad(kind);
    await sizes(kind);
  }
  await byFiles('github');
  await byFiles('gitlab');
  await sizes('github', { app: false });
  await manyComments('github');
  await manyStatuses('github');
  await manyStatuses('gitea');
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
