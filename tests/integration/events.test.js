#!/usr/bin/env node
// tests/integration/events.test.js - from webhooks to jobs.
// SPDX-License-Identifier: Apache-2.0
// timeout 300
// long 130
//
// A real scheduler, Redis, and repositories over HTTP; the host's API is a
// small one of tests/lib/event_world.js. There is no worker: jobs stay queued.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const npm = require('../lib/npm');
const { APP, SECRET, children, command, env, redis, startRedis,
  startScheduler, tmp, top, until, world } = require('../lib/event_rig');
const { comment, count, deal, event, field, job, keyOf, next, pull, pullEvent,
  repoOf, send, settled, user } = require('../lib/event_hooks');
const { ok, end } = require('../lib/tap');

// ---- tests ------------------------------------------------------------------

const step = (text) => `steps: [{checkout: }, {run: echo ${text}}]\n`;
const commits = {};

function makeRepos() {
  world.makeRepo(APP);
  commits.main = world.commit(APP, null, 'refs/heads/main', {
    '.berth/ci.yml': `on: change\n${step('of-base')}`,
    '.berth/push.yml': `on: {push: {branches: [main], paths: ["src/**"]}}\n${step('of-push')}`,
    '.berth/own.yml': `on: {change: {labels: [own]}}\nconcurrency: mine\n${step('own')}`,
    '.berth/docs.yml': `on: {change: {paths: ["docs/**"], labels: [docs]}}\n${step('docs')}`,
    '.berth/test.yml': step('of-test'), 'src/a': 'a' });
  commits.one = world.commit(APP, commits.main, 'refs/heads/topic-1',
    { '.berth/ci.yml': `on: change\n${step('of-one')}` });
  commits.two = world.commit(APP, commits.one, 'refs/heads/topic-1', { a: '2' });
  commits.fork = world.commit(APP, commits.main, 'refs/pull/2/head',
    { '.berth/ci.yml': `on: change\n${step('evil')}` });
  commits.fork2 = world.commit(APP, commits.fork, 'refs/pull/2/head', { b: '2' });
  world.makeRepo('acme/dark');
  world.private.add('acme/dark');
  commits.dark = world.commit('acme/dark', null, 'refs/heads/main',
    { '.berth/ci.yml': `on: change\n${step('dark')}` });
  world.makeRepo('acme/plain');
  commits.plain = world.commit('acme/plain', null, 'refs/heads/main', { a: 'a' });
}

async function changes(s) {
  const opened = pullEvent('opened', pull(1, commits.one));
  let r = await deal(s, opened);
  const first = r.jobs[0];
  ok(r.state === 'done' && r.jobs.length === 1 && first.state === 'ready' &&
    first.payload.includes('of-one'), 'opened: the pipeline of the head', r);
  ok(first.parsed.trust === 'member' && first.parsed.commit === commits.one &&
    first.parsed.ref === 'refs/pull/1/head' && first.parsed.base === 'main' &&
    first.parsed.change === '1' && first.parsed.branch === 'topic-1',
  'what the job is about', first.parsed);
  ok(first.report.forge === 'github' && first.report.repo === APP &&
    first.report.change === 1 && first.report.commit === commits.one &&
    first.report.name === 'ci' && first.report.fork === false,
  'where it is told', first.report);
  ok(first.group === `github/${APP}#1/ci`, 'its group', first.group);
  ok(first.parsed.title === 'A title $(id)' && !JSON.stringify({ ...first.parsed,
    title: '' }).includes('$(id)') && first.parsed.description === 'Why.\nHow.' &&
    first.parsed.previous === undefined,
  'title and description are there, and nowhere else', first.parsed);
  ok((await send(s, opened)).text.includes('known') && count(s) === 1,
    'the same once more: known');
  r = await deal(s, pullEvent('synchronize', pull(1, commits.two)));
  ok(r.jobs.length === 1 && job(s, first.id).state === 'cancelled',
    'other commits supersede', job(s, first.id));
  r = await deal(s, pullEvent('opened', pull(1, commits.two,
    { pull: { draft: true } })));
  ok(r.state === 'ignored' && /draft/.test(r.reason), 'a draft', r.reason);
  r = await deal(s, pullEvent('labeled', pull(1, commits.two)));
  ok(r.state === 'ignored', 'a label that nobody asks for', r);
  r = await deal(s, pullEvent('synchronize', pull(1, commits.two,
    { pull: { labels: [{ name: 'own' }] } })));
  ok(r.jobs.length === 2 && r.jobs[1].group === 'mine',
    'a pipeline\'s own group stays', r.jobs);
  world.files.set(`${APP}#1`, ['src/a']);
  const docs = () => pullEvent('synchronize', pull(1, commits.two,
    { pull: { labels: [{ name: 'docs' }] } }));
  r = await deal(s, docs());
  ok(r.jobs.length === 1, 'by paths, as the host tells them: no', r.jobs);
  world.files.set(`${APP}#1`, ['docs/b.md']);
  r = await deal(s, docs());
  ok(r.jobs.length === 2 && r.jobs[1].payload.includes('echo docs'),
    'by paths: yes', r.jobs);
  r = await deal(s, pullEvent('closed', pull(1, commits.two,
    { pull: { state: 'closed' } })));
  ok(r.state === 'done' && /jobs cancelled/.test(r.reason), 'closed', r);
  const left = redis('--raw', 'KEYS', keyOf(s, 'job:*')).split('\n')
    .filter((k) => redis('HGET', k, 'state') !== 'cancelled');
  ok(left.length === 0, 'closed: all of its jobs end', left);
}

// What a review said is told to the next one of the same change.
async function reviewed(s, id) {
  const finding = { path: 'a', line: 1, severity: 'error', message: 'Bad.',
    fix: { text: 'b' }, fingerprint: '0'.repeat(32) };
  const end = (result) => redis('EVAL', 'redis.call("HSET", KEYS[1], "state", ' +
    '"passed", "result", ARGV[1])', '1', keyOf(s, `job:${id}`),
  JSON.stringify(result));
  end({ steps: [{ outcome: 'passed', review: { to: commits.fork, failed: 0 },
    findings: { schema: 1, findings: [finding] } }] });
  let r = await deal(s, comment(2, '/berth review', user('mia')));
  const { previous } = r.jobs[0].parsed;
  ok(previous?.commit === commits.fork && JSON.stringify(
    previous.findings.findings[0]) === JSON.stringify(finding),
  'the next one is told what was found', r.jobs[0].parsed);
  end({ steps: [{ outcome: 'passed', review: { to: commits.fork, failed: 1 } }] });
  r = await deal(s, comment(2, '/berth review', user('mia')));
  ok(r.jobs[0].parsed.previous === undefined, 'but not of half a review',
    r.jobs[0].parsed);
}

async function strangers(s) {
  const p = pull(2, commits.fork, { fork: true });
  let r = await deal(s, pullEvent('opened', p));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.trust === 'fork' &&
    r.jobs[0].payload.includes('of-base') &&
    !r.jobs[0].payload.includes('evil') &&
    r.jobs[0].parsed.commit === commits.fork, 'a fork\'s: the base pipeline', r);
  ok(r.jobs[0].report.fork === true, 'and its host is told so');
  const short = commits.fork.slice(0, 12);
  r = await deal(s, comment(2, `/berth approve ${short}`, user('eve')));
  ok(r.state === 'ignored' && /eve may not write/.test(r.reason),
    'approved by a stranger', r.reason);
  r = await send(s, comment(2, '/berth test', user('robot[bot]', 'Bot')));
  ok(r.status === 200 && /ignored/.test(r.text), 'a bot', r.text);
  world.writers.add('mia');
  r = await deal(s, comment(2, `/berth approve ${commits.one.slice(0, 12)}`,
    user('mia')));
  ok(r.state === 'ignored' && /other commits/.test(r.reason),
    'another commit is approved', r.reason);
  r = await deal(s, comment(2, `/berth approve ${short}`, user('mia')));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.trust === 'member' &&
    r.jobs[0].payload.includes('evil') &&
    r.jobs[0].parsed.commit === commits.fork, 'approved: its own pipeline', r);
  r = await deal(s, pullEvent('synchronize',
    pull(2, commits.fork2, { fork: true })));
  ok(r.jobs[0].parsed.trust === 'fork' && r.jobs[0].payload.includes('of-base'),
    'the approval is of one commit', r.jobs[0].parsed);
  r = await deal(s, comment(2, '/berth test', user('mia')));
  ok(r.jobs.length === 1 && r.jobs[0].payload.includes('of-test') &&
    r.jobs[0].parsed.trust === 'fork' &&
    r.jobs[0].parsed.commit === commits.fork2, 'by name: of the base', r);
  r = await deal(s, comment(2, '/berth review', user('mia')));
  ok(r.state === 'done' && r.jobs.length === 1 && r.jobs[0].report.name ===
    'review' && r.jobs[0].parsed.trust === 'fork' &&
    r.jobs[0].payload.includes('incremental') && r.jobs[0].parsed.title ===
    'A title $(id)', 'a review, by who may write', r);
  await reviewed(s, r.jobs[0].id);
  r = await deal(s, comment(2, '/berth cancel', user('mia')));
  ok(r.state === 'done' && /cancelled/.test(r.reason), 'cancel', r);
  r = await deal(s, comment(2, '/berth retry', user('mia')));
  ok(r.state === 'ignored' && /no such job/.test(r.reason),
    'retry: none failed', r.reason);
  const failed = (await deal(s, comment(2, '/berth test', user('mia')))).jobs[0];
  redis('EVAL', 'redis.call("HSET", KEYS[1], "state", "failed")', '1',
    keyOf(s, `job:${failed.id}`));
  r = await deal(s, comment(2, '/berth retry', user('mia')));
  ok(r.state === 'done' && /1 jobs run again/.test(r.reason), 'retry', r);
}

async function checks(s) {
  const check = (action, externalId, sha, more = {}) => event('check_run', {
    action, check_run: { id: 5, head_sha: sha, name: 'berth', app: { id: 77 },
      external_id: externalId, check_suite: { id: 4, head_branch: 'topic-1' },
      pull_requests: [] }, ...more });
  const p = pull(1, commits.two);
  const made = (await deal(s, pullEvent('reopened', p))).jobs[0];
  let r = await deal(s, check('rerequested', made.id, commits.two));
  ok(r.jobs.length === 1 && r.jobs[0].id !== made.id &&
    r.jobs[0].payload.includes('of-one') && r.jobs[0].parsed.change === '1' &&
    r.jobs[0].parsed.trust === 'member', 'a check again', r);
  r = await deal(s, check('rerequested', 'no-such', commits.two));
  ok(r.state === 'ignored' && /neither a change nor a job/.test(r.reason),
    'a check of nothing that is known', r.reason);
  const press = (identifier) => deal(s, check('requested_action', made.id,
    commits.two, { requested_action: { identifier } }));
  r = await press('rerun');
  ok(r.jobs.length === 1 && r.jobs[0].payload.includes('of-one') &&
    r.jobs[0].parsed.change === '1', 'the button to run it again', r);
  r = await press('dance');
  ok(r.state === 'ignored' && /no button/.test(r.reason), 'another button', r);
  r = await deal(s, check('rerequested', made.id, commits.one));
  ok(r.state === 'ignored', 'a check of another commit', r.reason);
  const fork = (await deal(s, pullEvent('reopened',
    pull(2, commits.fork2, { fork: true })))).jobs[0];
  r = await deal(s, check('rerequested', fork.id, commits.fork2));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.trust === 'fork',
    'a fork\'s check again: a fork\'s still', r);
  const button = (who) => check('requested_action', fork.id, commits.fork2,
    { requested_action: { identifier: 'approve' }, sender: user(who) });
  r = await deal(s, button('eve'));
  ok(r.state === 'ignored' && /may not write/.test(r.reason),
    'the button, by a stranger', r.reason);
  r = await deal(s, button('mia'));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.trust === 'member' &&
    r.jobs[0].payload.includes('evil'), 'the button approves', r);
  pull(2, commits.fork, { fork: true });
  r = await deal(s, button('mia'));
  ok(r.state === 'ignored' && /other commits/.test(r.reason),
    'the button, too late', r.reason);
}

async function pushes(s) {
  const push = (ref, files) => event('push', { ref, before: commits.main,
    after: commits.main, commits: [{ added: [], removed: [], modified: files }] });
  let r = await deal(s, push('refs/heads/main', ['src/a']));
  ok(r.jobs.length === 1 && r.jobs[0].payload.includes('of-push') &&
    r.jobs[0].parsed.branch === 'main' && r.jobs[0].parsed.trust === 'member' &&
    r.jobs[0].report.change === undefined, 'a push', r);
  r = await deal(s, push('refs/heads/main', ['README']));
  ok(r.state === 'ignored', 'a push of other files', r.reason);
  r = await deal(s, push('refs/heads/other', ['src/a']));
  ok(r.state === 'ignored', 'a push to another branch', r.reason);
  r = await deal(s, push('refs/tags/v1', ['src/a']));
  ok(r.state === 'ignored', 'a tag', r.reason);
  const plain = pull(3, commits.plain, { repo: 'acme/plain' });
  r = await deal(s, pullEvent('opened', plain));
  ok(r.jobs.length === 1 && r.jobs[0].pipeline === 'test',
    'nobody says when: the defaults', r);
}

// Gitea's: the same document in another envelope, and what a real one sent.
async function gitea() {
  const s = await startScheduler('gitea', `webhooks.gitea_url=${world.base}`,
    'webhooks.gitea_secrets=env:HOOK_SECRET');
  const e = pullEvent('opened', pull(1, commits.one));
  const mac = (text, secret) => crypto.createHmac('sha256', secret)
    .update(text).digest('hex');
  const keyed = (text) => crypto.createHash('sha256').update('gitea\0')
    .update(text).digest('hex');
  const r = await deal(s, { ...e, path: '/webhooks/gitea', key: keyed(e.text),
    headers: { 'X-Gitea-Event': 'pull_request', 'X-Gitea-Delivery': 'd',
      'X-Gitea-Signature': mac(e.text, SECRET) } });
  ok(r.jobs.length === 1 && r.jobs[0].report.forge === 'gitea' &&
    r.jobs[0].parsed.ref === 'refs/pull/1/head' &&
    r.jobs[0].payload.includes('of-one'), 'a change of Gitea\'s', r);
  const dir = path.join(top, 'tests/fixtures/gitea');
  const answers = [];
  for (const name of fs.readdirSync(dir).filter((f) => f.endsWith('.body'))) {
    const text = fs.readFileSync(path.join(dir, name)).toString()
      .replaceAll('http://127.0.0.1:4820', world.base);
    const headers = Object.fromEntries(fs.readFileSync(path.join(dir,
      name.replace('.body', '.headers'))).toString().trim().split('\n')
      .map((l) => [l.split(': ')[0], l.split(': ').slice(1).join(': ')])
      .filter(([n]) => /^x-gitea-event|^x-gitea-delivery/i.test(n)));
    answers.push(await send(s, { text, path: '/webhooks/gitea',
      headers: { ...headers, 'X-Gitea-Signature': mac(text, SECRET) } }));
  }
  ok(answers.length > 3 && answers.every((a) => [200, 202].includes(a.status)),
    'what a real Gitea sent is taken', answers);
  await until('all to be settled', () =>
    redis('ZCARD', keyOf(s, 'deliveries:waiting:gitea')) === '0');
  return s;
}

// A note of GitLab's tells of the commit that was the last when it was written,
// which need not be the one that somebody approves, or that the host has now.
async function gitlab() {
  const s = await startScheduler('gitlab', `webhooks.gitlab_url=${world.base}`,
    'webhooks.gitlab_secrets=env:HOOK_SECRET', 'gitlab.token=env:HUB_TOKEN',
    `gitlab.api_url=${world.base}/api/v4`);
  const approve = (last, sha) => world.noteOfGitlab(APP, last,
    { serial: next(), note: `/berth approve ${sha}`, secret: SECRET });
  world.pulls.set(`${APP}!1`, world.changeOfGitlab(commits.fork));
  let r = await deal(s, approve(commits.fork2, commits.fork));
  ok(r.state === 'ignored' && /other commits/.test(r.reason) && !r.jobs.length,
    'GitLab: the note is of another commit than was approved', r);
  r = await deal(s, approve(commits.fork, commits.fork));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.trust === 'member' &&
    r.jobs[0].parsed.commit === commits.fork, 'GitLab: approved', r);
  return s;
}

// Whatever failed before so many of an App's deliveries is nobody's to find.
async function tooMany(key) {
  world.missed = Array.from({ length: 5001 }, (_, i) => ({ id: 9000 - i,
    guid: `m${i}`, status_code: i < 5000 ? 200 : 503,
    delivered_at: new Date(Date.now() - 1000 * (i + 1)).toISOString() }));
  const s = await startScheduler('many', 'github.token=', 'github.app=78',
    `github.app_key=file:${key}`, 'webhooks.reconcile=1h');
  await until('the log', () =>
    /only the last 5000 deliveries were looked at/.test(s.log));
  ok(true, 'too many to look at all: it is in the log');
  return s;
}

// A GitHub App: it has tokens of one repository, and checks of its own.
async function app() {
  const key = path.join(tmp, 'key.pem');
  fs.writeFileSync(key, crypto.generateKeyPairSync('rsa', { modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey);
  const hour = 3600000;
  world.missed = Array.from({ length: 120 }, (_, i) => ({ id: 500 - i,
    guid: `g${i}`, status_code: 503,
    delivered_at: new Date(Date.now() - hour - 1000 * i).toISOString() }));
  const s = await startScheduler('app', 'github.token=', 'github.app=78',
    `github.app_key=file:${key}`, 'webhooks.reconcile=1h');
  const dark = pull(4, commits.dark, { repo: 'acme/dark' });
  let r = await deal(s, { ...pullEvent('opened', dark) });
  ok(r.jobs.length === 1 && r.jobs[0].payload.includes('dark') &&
    !r.jobs[0].payload.includes(world.token), 'a private repository', r);
  r = await deal(s, event('check_run', { action: 'rerequested',
    check_run: { id: 5, head_sha: commits.dark, name: 'x', app: { id: 77 },
      external_id: r.jobs[0].id, check_suite: { id: 4 }, pull_requests: [] },
    repository: repoOf('acme/dark') }));
  ok(r.state === 'ignored' && /another App/.test(r.reason),
    'a check of another App', r.reason);
  const attempts = () => world.asked.filter((a) => /\/attempts$/.test(a));
  await until('the App to ask for what was missed', () =>
    attempts().length >= world.missed.length);
  ok(new Set(attempts()).size === world.missed.length, 'all that was missed is sent again');
  ok(!/were looked at/.test(s.log), 'and nothing is left out');
  return [s, await tooMany(key)];
}

async function replays(s) {
  const e = pullEvent('opened', pull(1, commits.one));
  const r = await deal(s, e);
  let c = command(s, 'deliveries', e.key.slice(0, 12), '--json');
  let row = JSON.parse(c.out);
  ok(c.status === 0 && row.state === 'done' && row.jobs[0] === r.jobs[0].id &&
    row.forge === 'github' && row.event === 'pull_request.opened' &&
    row.scheduler && !row.claim, 'deliveries: one', c);
  c = command(s, 'deliveries', '--json');
  ok(JSON.parse(c.out).deliveries[0].key === e.key, 'deliveries: all', c);
  c = command(s, 'deliveries');
  ok(c.status === 0 && c.out.includes(e.key.slice(0, 12)), 'for people', c);
  c = command(s, 'deliveries', e.key);
  ok(c.status === 0 && /^state: done$/m.test(c.out), 'one for people', c);
  const before = count(s);
  c = command(s, 'deliveries', e.key.slice(0, 12), '--replay');
  ok(c.status === 0, 'replay', c);
  const again = await settled(s, e);
  ok(again.jobs.length === 1 && again.jobs[0].id !== r.jobs[0].id &&
    count(s) === before + 1, 'replay makes another job', again);
  ok(command(s, 'deliveries', 'abc', '--replay').status === 1 &&
    command(s, 'deliveries', 'xyz').status === 2, 'what is none');
}

async function away(s) {
  // Not told whose it is: the host is asked, and is away.
  const p = pull(5, commits.fork, { fork: true });
  world.apiAway = true;
  const e = comment(5, '/berth test', user('mia'));
  await send(s, e);
  await until('it to be postponed', () => field(s, e, 'reason'));
  ok(field(s, e, 'state') === 'waiting' && field(s, e, 'claim') === '',
    'the host is away: later', field(s, e, 'reason'));
  world.apiAway = false;
  const r = await settled(s, e);
  ok(r.jobs.length === 1 && Number(field(s, e, 'attempts')) > 1 &&
    p.number === 5, 'and when it is there, it is done', r);
}

// Closed while another is still busy with what opened it, and its host, when
// that asked, knew nothing of it yet.
async function overtaken(s) {
  const sha = world.commit(APP, commits.one, 'refs/heads/topic-6', { o: '1' });
  const p = pull(6, sha), opened = pullEvent('opened', p);
  world.held = [];
  await send(s, opened);
  await until('it to be read', () => world.held.length);
  const closed = pullEvent('closed', { ...p, state: 'closed' });
  await send(s, closed);
  await until('it to be looked at', () => field(s, closed, 'reason'));
  ok(field(s, closed, 'state') === 'waiting', 'closed at once: not over yet');
  world.release();
  let r = await settled(s, opened);
  const id = r.jobs[0].id;
  p.state = 'closed';
  r = await settled(s, closed);
  ok(job(s, id).state === 'cancelled', 'its job ends all the same', r);
  p.state = 'open';
  r = await deal(s, pullEvent('reopened', p));
  const key = keyOf(s, `delivery:${closed.key}`);
  redis('HSET', key, 'state', 'waiting', 'attempts', '1');
  redis('ZADD', keyOf(s, 'deliveries:waiting:github'), '1', closed.key);
  const late = await settled(s, closed);
  ok(late.state === 'ignored' && /open again/.test(late.reason) &&
    job(s, r.jobs[0].id).state !== 'cancelled', 'closed, and opened again', late);
}

async function killed(s) {
  const e = pullEvent('synchronize', pull(1, world.commit(APP, commits.two,
    'refs/heads/topic-1', { k: '1' })));
  world.gitMute = true;
  const before = count(s);
  await send(s, e);
  await until('it to be taken', () => field(s, e, 'claim') && world.mute.length);
  s.kill('SIGKILL');
  await s.over;
  world.gitMute = false;
  const next = await startScheduler(s.pool);
  const r = await settled(next, e);
  ok(r.jobs.length === 1 && count(next) === before + 1 &&
    field(next, e, 'attempts') === '2', 'killed midway: exactly one job', r);
  // As if it had died after its job was made, and before that was told.
  const key = keyOf(next, `delivery:${e.key}`);
  redis('HSET', key, 'state', 'waiting');
  redis('HDEL', key, 'jobs');
  redis('ZREM', keyOf(next, 'deliveries'), e.key);
  redis('ZADD', keyOf(next, 'deliveries:waiting:github'), '1', e.key);
  const again = await settled(next, e);
  ok(again.jobs[0].id === r.jobs[0].id && count(next) === before + 1,
    'killed after its job was made: the same job', again);
  return next;
}

async function several(s) {
  const others = [await startScheduler(s.pool), await startScheduler(s.pool)];
  const all = [s, ...others];
  const before = count(s);
  const events = Array.from({ length: 30 }, (_, i) => {
    const p = pull(100 + i, commits.one);
    return pullEvent('opened', p);
  });
  await Promise.all(events.map((e, i) => send(all[i % 3], e)));
  const results = await Promise.all(events.map((e) => settled(s, e)));
  ok(results.every((r) => r.state === 'done' && r.jobs.length === 1) &&
    count(s) === before + 30, 'three schedulers: each once',
  results.filter((r) => r.state !== 'done'));
  ok(events.every((e) => field(s, e, 'attempts') === '1'), 'by one each');
  return others;
}

async function missed() {
  const s = await startScheduler('missed', 'webhooks.reconcile=2s');
  const known = pull(1, commits.one);
  world.pulls.clear();
  await deal(s, pullEvent('opened', pull(1, known.head.sha)));
  const p = pull(8, commits.two);
  const jobs = () => redis('--raw', 'ZRANGE', keyOf(s, `change:github:${APP}:8`),
    '0', '-1').split('\n').filter(Boolean);
  await until('the change to be found', () => jobs().length);
  const made = job(s, jobs()[0]);
  ok(made.parsed.commit === p.head.sha && made.parsed.trust === 'member',
    'an event that did not come is found', made);
  const rounds = () => world.asked.filter((a) => /pulls$/.test(a)).length;
  const now = rounds();
  await until('two more rounds', () => rounds() > now + 2);
  ok(jobs().length === 1 && count(s) === 2, 'and only once', count(s));
  return s;
}

// Whatever GitHub sends: answered, dealt with, and nobody falls over.
async function everything() {
  const s = await startScheduler('all');
  const examples = npm.install(path.join(top, 'tests/webhooks'), tmp)(
    '@octokit/webhooks-examples');
  const bad = [], sent = [];
  for (const { name, examples: list } of examples)
    for (const payload of list) {
      const text = JSON.stringify(payload)
        .replaceAll('https://github.com', world.base);
      const e = { name, text, key: crypto.createHash('sha256')
        .update('github\0').update(text).digest('hex') };
      const r = await send(s, e);
      if (r.status !== 200 && r.status !== 202) bad.push([name, r]);
      sent.push(e);
    }
  ok(sent.length > 300 && bad.length === 0, 'all payloads are taken', bad);
  await until('all to be settled', () =>
    redis('ZCARD', keyOf(s, 'deliveries:waiting:github')) === '0');
  const states = {};
  for (const e of sent) {
    const state = field(s, e, 'state') || 'not kept';
    states[state] = (states[state] || 0) + 1;
  }
  ok(s.exitCode === null && !states.waiting, 'and dealt with', states);
  return s;
}

async function main() {
  await world.start();
  makeRepos();
  await startRedis();
  let s = await startScheduler('p');
  await changes(s);
  await strangers(s);
  await checks(s);
  await pushes(s);
  await replays(s);
  await away(s);
  await overtaken(s);
  s = await killed(s);
  const all = [s, ...await several(s), ...await app(), await gitea(),
    await gitlab(), await missed(),
    await everything()];
  for (const child of all) {
    child.kill('SIGTERM');
    const status = await child.over;
    ok(status === 0, `a scheduler of '${child.pool}' ends well`, status,
      child.log);
  }
}

main().catch((e) => ok(false, 'no error', e.stack,
  children.map((c) => c.log || '').join('\n'))).finally(() => {
  for (const child of children) child.kill('SIGKILL');
  world.stop();
  end();
});
