#!/usr/bin/env node
// tests/integration/events_order.test.js - deliveries out of order, suites that
// are run again, and pipelines that are wrong.
// SPDX-License-Identifier: Apache-2.0
// timeout 180
// long 45
'use strict';

const crypto = require('crypto');
const { APP, SECRET, children, command, redis, startRedis, startScheduler, until,
  world } = require('../lib/event_rig');
const { comment, count, deal, event, field, job, keyOf, pull, pullEvent, send,
  settled, user } = require('../lib/event_hooks');
const { ok, end } = require('../lib/tap');

const step = (text) => `steps: [{checkout: }, {run: echo ${text}}]\n`;
const push = (ref, sha) => event('push', { ref, before: '1'.repeat(40),
  after: sha, commits: [{ added: [], removed: [], modified: ['a'] }] });
const mia = { id: 7, login: 'mia', type: 'User' };
const commits = {};

function makeRepo() {
  world.makeRepo(APP);
  commits.main = world.commit(APP, null, 'refs/heads/main', {
    '.berth/ci.yml': `on: [change, push]\n${step('ci')}`,
    '.berth/tag.yml': `on: tag\n${step('tag')}` });
  commits.old = world.commit(APP, commits.main, 'refs/heads/topic-1', { a: '1' });
  commits.young = world.commit(APP, commits.old, 'refs/heads/topic-1', { a: '2' });
}

// ---- an older delivery that comes, or is done, later -----------------------------

async function order(s) {
  const older = pullEvent('synchronize', pull(1, commits.old));
  const younger = pullEvent('synchronize', pull(1, commits.young));
  let r = await deal(s, younger);
  const { id } = r.jobs[0];
  r = await deal(s, older);
  ok(r.state === 'ignored' && /other commits by now/.test(r.reason) &&
    job(s, id).state === 'ready' && count(s) === 1,
  'an older commit after a younger one: no job, and none ends', r);
  r = await deal(s, pullEvent('opened', pull(2, commits.old)));
  ok(r.jobs.length === 1, 'the same commit of a change that has it', r);
  // It is read while the change moves on.
  const slow = pullEvent('synchronize', pull(3, world.commit(APP, commits.old,
    'refs/heads/topic-3', { a: '3' })));
  world.held = [];
  await send(s, slow);
  await until('it to be read', () => world.held.length);
  pull(3, commits.young);
  world.release();
  r = await settled(s, slow);
  ok(r.state === 'ignored' && /other commits by now/.test(r.reason),
    'overtaken while its pipelines were read', r);
  // So is what was approved.
  const seen = world.commit(APP, commits.old, 'refs/heads/topic-18', { a: '4' });
  const approval = comment(18, `/berth approve ${seen}`, mia);
  pull(18, seen);
  world.writers.add('mia');
  world.held = [];
  await send(s, approval);
  await until('it to be read', () => world.held.length);
  pull(18, commits.young);
  world.release();
  r = await settled(s, approval);
  ok(r.state === 'ignored' && /other commits than/.test(r.reason),
    'approved, and overtaken while it was read', r);
  const closed = pull(4, commits.old);
  const opened = pullEvent('opened', closed);
  closed.state = 'closed';
  r = await deal(s, opened);
  ok(r.state === 'ignored' && /closed by now/.test(r.reason),
    'closed meanwhile', r);
  // The host's API need not know yet what the host sends.
  const late = pullEvent('synchronize', pull(6, commits.young));
  const known = pull(6, commits.old);
  await send(s, late);
  await until('it to be looked at', () => field(s, late, 'reason'));
  known.head.sha = commits.young;
  r = await settled(s, late);
  ok(r.state === 'done' && r.jobs.length === 1 &&
    r.jobs[0].parsed.commit === commits.young, 'told before the host knows', r);
  // Overtaken after its host was asked: the queue knows who came later.
  r = await deal(s, pullEvent('synchronize', pull(17, commits.young)));
  const later = r.jobs[0].id;
  redis('HSET', keyOf(s, `job:${later}`), 'as_of_ms', Date.now() + 1e6);
  redis('ZADD', keyOf(s, `change:github:${APP}:17`), 9e15, later);
  r = await deal(s, pullEvent('synchronize', pull(17, commits.old)));
  ok(r.state === 'ignored' && /other commits by now/.test(r.reason) &&
    job(s, later).state === 'ready', 'overtaken at the last moment', r);
  const asked = comment(17, '/berth test', mia);
  await send(s, asked);
  await until('it to be looked at', () => field(s, asked, 'reason'));
  redis('HSET', keyOf(s, `job:${later}`), 'as_of_ms', 0);
  r = await settled(s, asked);
  ok(r.state === 'done' && r.jobs.length === 1 && r.jobs[0].pipeline === 'test',
    'a command is tried on', r);
  // A host that does not answer keeps nobody from testing.
  const deaf = pullEvent('synchronize', pull(5, commits.old));
  world.apiAway = true;
  r = await deal(s, deaf);
  world.apiAway = false;
  ok(r.jobs.length === 1, 'the host cannot be asked: it is believed', r);
}

// ---- "re-run all" ------------------------------------------------------------------

const suite = (sha, branch, more = {}) => event('check_suite', {
  action: 'rerequested', check_suite: { id: 4, head_sha: sha, app: { id: 77 },
    head_branch: branch, pull_requests: [], ...more } });

async function suites(s) {
  const first = await deal(s, push('refs/heads/main', commits.main));
  ok(first.jobs.length === 1, 'a push', first);
  let r = await deal(s, suite(commits.main, 'main'));
  ok(r.jobs.length === 1 && r.jobs[0].id !== first.jobs[0].id &&
    r.jobs[0].payload.includes('echo ci') &&
    r.jobs[0].parsed.commit === commits.main &&
    r.jobs[0].parsed.branch === 'main' &&
    r.jobs[0].parsed.trust === 'member' && !r.jobs[0].parsed.change,
  'the suite of a push again: its pipelines', r);
  r = await deal(s, suite(commits.main, 'main'));
  ok(r.jobs.length === 1, 'and once more: each of them once', r);
  await deal(s, push('refs/tags/v1', commits.main));
  r = await deal(s, suite(commits.main, null));
  ok(r.jobs.length === 1 && r.jobs[0].pipeline === 'tag' &&
    r.jobs[0].parsed.ref === 'refs/tags/v1',
  'of what was pushed last: the tag', r);
  const both = { pull_requests: [pull(8, commits.main)] };
  r = await deal(s, suite(commits.main, 'main', both));
  ok(r.jobs.length === 1 && r.jobs[0].pipeline === 'tag' &&
    !r.jobs[0].parsed.change, 'of a change that nothing ran for: the tag still', r);
  const fresh = world.commit(APP, commits.main, 'refs/heads/topic-8', { a: '8' });
  both.pull_requests = [pull(8, fresh)];
  r = await deal(s, suite(fresh, 'topic-8', both));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.change === '8' &&
    r.jobs[0].pipeline === 'ci', 'nothing ran at all: as if the change came', r);
}

// Of a fork's commits the host tells no change.
async function forkSuites(s) {
  const stranger = world.commit(APP, commits.main, 'refs/pull/9/head',
    { '.berth/ci.yml': `on: [change, push]\n${step('evil')}` });
  const theirs = pull(9, stranger, { fork: true });
  const before = count(s);
  let r = await deal(s, suite(stranger, 'main'));
  ok(r.state === 'ignored' && /neither a change nor a job/.test(r.reason) &&
    count(s) === before, 'a suite of a stranger\'s commit: nothing', r);
  const first = (await deal(s, pullEvent('opened', theirs))).jobs[0];
  r = await deal(s, suite(stranger, null));
  const again = r.jobs[0];
  ok(r.jobs.length === 1 && again.id !== first.id && again.pipeline === 'ci' &&
    again.parsed.change === '9' && again.parsed.trust === 'fork' &&
    again.parsed.commit === stranger && again.report.change === 9 &&
    again.payload.includes('echo ci') && !again.payload.includes('evil'),
  'a fork\'s suite again: a fork\'s still, by the base\'s pipelines', r);
  // The same commit of another change, and then of a branch.
  await deal(s, pullEvent('opened', pull(10, stranger, { fork: true })));
  r = await deal(s, suite(stranger, null));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.change === '10' &&
    r.jobs[0].parsed.trust === 'fork', 'of two changes the one that came last', r);
  const checkOf = (id, sha, pulls = []) => event('check_run', {
    action: 'rerequested', check_run: { id: 5, head_sha: sha, name: 'ci',
      app: { id: 77 }, external_id: id, check_suite: { id: 4 },
      pull_requests: pulls } });
  r = await deal(s, checkOf(first.id, stranger, [world.pulls.get(`${APP}#10`)]));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.change === '9',
    'a check again: for the change that its job was for', r);
  const pushed = (await deal(s, push('refs/heads/main', stranger))).jobs[0];
  r = await deal(s, suite(stranger, 'main'));
  ok(r.jobs.length === 1 && !r.jobs[0].parsed.change &&
    r.jobs[0].parsed.trust === 'member' && r.jobs[0].parsed.branch === 'main',
  'merged: the push\'s', r);
  r = await deal(s, suite(stranger, 'main', { pull_requests: [theirs] }));
  ok(r.jobs.length === 1 && r.jobs[0].parsed.change === '9' &&
    r.jobs[0].parsed.trust === 'fork', 'the host tells a change: that one\'s', r);
  r = await deal(s, checkOf(pushed.id, stranger, [theirs]));
  ok(r.jobs.length === 1 && !r.jobs[0].parsed.change && !r.jobs[0].parsed.base &&
    r.jobs[0].parsed.branch === 'main',
  'a push\'s check again: no change\'s, though one has that commit', r);
  // What a younger commit made old runs beside it, and again.
  const younger = world.commit(APP, stranger, 'refs/pull/9/head', { a: '9' });
  const current = (await deal(s, pullEvent('synchronize',
    pull(9, younger, { fork: true })))).jobs[0];
  for (let i = 0, { id } = first; i < 2; i++, { id } = r.jobs[0]) {
    r = await deal(s, checkOf(id, stranger));
    ok(r.jobs.length === 1 && r.jobs[0].parsed.commit === stranger &&
      r.jobs[0].parsed.trust === 'fork' && r.jobs[0].parsed.change === '9' &&
      r.jobs[0].report.change === undefined && job(s, current.id).state === 'ready',
    'a check of an older commit again: the head\'s jobs stay', r);
  }
  // Somebody's command is read while the change moves on.
  world.writers.add('mia');
  const said = comment(9, '/berth test', user('mia'));
  const youngest = world.commit(APP, younger, 'refs/pull/9/head', { a: '10' });
  world.held = [];
  await send(s, said);
  await until('it to be read', () => world.held.length);
  pull(9, youngest, { fork: true });
  world.release();
  r = await settled(s, said);
  ok(r.jobs.length === 1 && r.jobs[0].parsed.commit === youngest,
    'a command: for the youngest', r);
}

// ---- pipelines that are wrong --------------------------------------------------------

const invalid = (s) => redis('--raw', 'KEYS', keyOf(s, 'job:*')).split('\n')
  .filter((k) => redis('HGET', k, 'reason') === 'pipeline_invalid')
  .map((k) => ({ id: k.slice(keyOf(s, 'job:').length),
    rev: Number(redis('HGET', k, 'report_rev')),
    result: JSON.parse(redis('HGET', k, 'result')),
    ...job(s, k.slice(keyOf(s, 'job:').length)) }));

async function wrong(s) {
  const bad = world.commit(APP, commits.main, 'refs/heads/topic-16',
    { '.berth/ci.yml': 'on: [change, push]\nsteps:\n  - runn: echo\n' });
  let r = await deal(s, push('refs/heads/topic-16', bad));
  ok(r.state === 'failed' && /ci\.yml:3:/.test(r.reason), 'a wrong step', r);
  let [made, ...more] = invalid(s);
  ok(made && !more.length && made.state === 'failed' &&
    /^\.berth\/ci\.yml:3:5: .*\n\.berth\/ci\.yml:3:5: unknown key 'runn'.*$/
      .test(made.result.message) &&
    made.report.name === 'ci' && made.report.commit === bad &&
    made.report.forge === 'github' && made.report.repo === APP,
  'its host is to be told, with the place', made, more);
  ok(redis('ZSCORE', keyOf(s, 'outbox:github'), made.id) !== '' ||
    redis('HGET', keyOf(s, `job:${made.id}`), 'report_error') !== '',
  'as of any other job');
  const c = command(s, 'status', made.id);
  ok(c.status === 0 && /failed: pipeline_invalid/.test(c.out) &&
    /unknown key 'runn'/.test(c.out), 'status tells it, too', c);
  ok(/not kept/.test(command(s, 'retry', made.id).err),
    'it cannot be run again');
  r = await deal(s, pullEvent('opened', pull(16, bad)));
  const of = invalid(s);
  ok(r.state === 'failed' && of.length === 1 && of[0].rev > made.rev,
    'a push and a change of a commit: once', of);
  // A file whose `on:` is wrong, beside one that runs.
  const odd = world.commit(APP, commits.main, 'refs/heads/topic-7',
    { '.berth/odd.yml': `on: {change: {paths: 7}}\n${step('odd')}` });
  r = await deal(s, pullEvent('opened', pull(7, odd)));
  [made, ...more] = invalid(s).filter((j) => j.report.commit === odd);
  ok(r.state === 'done' && r.jobs.length === 1 && r.jobs[0].pipeline === 'ci' &&
    made && !more.length && made.report.name === 'odd' &&
    made.report.change === 7 && /odd\.yml:1:\d+: /.test(made.result.message),
  'one is wrong: the others run', r, made);
  const good = world.commit(APP, odd, 'refs/heads/topic-7',
    { '.berth/odd.yml': `on: change\n${step('odd')}` });
  r = await deal(s, pullEvent('synchronize', pull(7, good)));
  ok(r.jobs.length === 2 &&
    !invalid(s).some((j) => j.report.commit === good), 'the next is good', r);
  // More than a host has room for is cut between characters.
  for (let n = 1; n <= 6; n++) {
    const long = world.commit(APP, commits.main, `refs/heads/long-${n}`, {
      [`.berth/${'p'.repeat(n)}.yml`]: 'on: push\nsteps:\n' +
        Array.from({ length: 40 }, (_, i) => `  - ${'ä'.repeat(30)}${i}: 1\n`)
          .join('') });
    await deal(s, push(`refs/heads/long-${n}`, long));
    [made] = invalid(s).filter((j) => j.report.commit === long);
    const { message } = made.result;
    ok(/unknown key 'ää/.test(message) && Buffer.byteLength(message) <= 2000 &&
      Buffer.byteLength(message) >= 1998 && !message.includes('\ufffd'),
    'many errors', message);
  }
  // So is what is kept of the faults of many.
  for (let n = 1; n <= 2; n++) {
    const many = world.commit(APP, commits.main, `refs/heads/many-${n}`,
      Object.fromEntries(Array.from({ length: 14 }, (_, i) => [
        `.berth/a${i + 10}${'p'.repeat(i ? 3 : n)}${'ä'.repeat(110)}.yml`,
        `on: ${'ä'.repeat(30)}\n`])));
    const e = push(`refs/heads/many-${n}`, many);
    await deal(s, e);
    const { reason } = JSON.parse(command(s, 'deliveries', e.key, '--json').out);
    ok(/'ää/.test(reason) && Buffer.byteLength(reason) <= 4096 &&
      Buffer.byteLength(reason) >= 4095 && !reason.includes('\ufffd'),
    'many faults', Buffer.byteLength(reason || ''), reason);
  }
  // A fork's pipelines are the base's, whatever it has in it.
  const fork = world.commit(APP, commits.main, 'refs/pull/8/head',
    { '.berth/ci.yml': 'on: [\n' });
  r = await deal(s, pullEvent('opened', pull(8, fork, { fork: true })));
  ok(r.jobs.length === 1 && !invalid(s).some((j) => j.report.commit === fork),
    'a fork\'s wrong file is nobody\'s', r);
}

// ---- a host that is slow --------------------------------------------------------------

// Deliveries that one scheduler is at work on, of three hosts: GitLab, too.
const HELD = 16;

async function fair() {
  const s = await startScheduler('fair', `webhooks.gitea_url=${world.base}`,
    'webhooks.gitea_secrets=env:HOOK_SECRET');
  const fresh = world.commit(APP, commits.main, 'refs/heads/topic-20', { f: '1' });
  const stuck = Array.from({ length: HELD + 4 }, (_, i) =>
    pullEvent('opened', pull(200 + i, fresh)));
  world.held = [];
  await Promise.all(stuck.map((e) => send(s, e)));
  const atWork = () => Number(redis('EVAL', 'local n = 0 for _, key in ' +
    'ipairs(KEYS) do n = n + redis.call("HEXISTS", key, "claim") end return n',
  `${stuck.length}`, ...stuck.map((e) => keyOf(s, `delivery:${e.key}`))));
  await until('it to be busy', () => atWork() >= HELD - 2);
  const closed = pullEvent('closed', pull(300, fresh));
  const digest = (what) => what.update(closed.text).digest('hex');
  const other = { ...closed, path: '/webhooks/gitea',
    key: digest(crypto.createHash('sha256').update('gitea\0')),
    headers: { 'X-Gitea-Event': 'pull_request', 'X-Gitea-Delivery': 'd',
      'X-Gitea-Signature': digest(crypto.createHmac('sha256', SECRET)) } };
  await send(s, other);
  // Readings that are stuck are given up after a minute.
  await until('it to be looked at', () => field(s, other, 'reason'), 30000);
  ok(atWork() >= HELD - 2, 'a host that is stuck leaves another one room');
  world.release();
  return s;
}

async function main() {
  await world.start();
  makeRepo();
  await startRedis();
  const s = await startScheduler('o');
  await order(s);
  await suites(s);
  await forkSuites(s);
  await wrong(s);
  for (const one of [s, await fair()]) {
    one.kill('SIGTERM');
    ok(await one.over === 0, 'the scheduler ends well', one.log);
  }
}

main().catch((e) => ok(false, 'no error', e.stack,
  children.map((c) => c.log || '').join('\n'))).finally(() => {
  for (const child of children) child.kill('SIGKILL');
  world.stop();
  end();
});
