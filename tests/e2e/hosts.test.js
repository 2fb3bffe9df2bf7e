#!/usr/bin/env node
// tests/e2e/hosts.test.js - a Git host's changes, from webhook to review.
// timeout 400
// long 150
// SPDX-License-Identifier: Apache-2.0
'use strict';

// All is real but the host: Redis, schedulers, an enrolled worker with sandboxes,
// npm. With --render it prints what docs/git-hosts.md shows.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { children, process_ } = require('../chaos/remains');
const { Hosts, until } = require('../lib/hosts_world');
const { FILES, QUICK, CHANGE, SECOND, pipeline } = require('../lib/hosts_project');
const { ok, end } = require('../lib/tap');

const REPO = 'acme/notes';
const PLAIN = 'acme/plain'; // for whom it is enough
const DOCS = path.resolve(__dirname, '../../docs/git-hosts.md');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'h'));
const SECRET = 'deploy-key-0123';
const renders = process.argv.includes('--render');
const worlds = [];

async function addProject(world, repo, files) {
  await world.addRepo(repo, { permissions: { dev: 'write', eve: 'read' } });
  await world.call('commit', { repo, branch: 'main', files,
    message: 'Keep notes' });
  await world.call('commit', { repo, branch: 'topic', from: 'main',
    files: CHANGE, message: 'Look into lists' });
  await world.call('addChange', { repo, head: 'topic', author: 'dev',
    title: 'Look into lists' });
}

async function setUp(kind) {
  const world = await Hosts.make({ tmp, kind, validate: kind === 'github',
    env: { HOSTS_SECRET_DEPLOY: SECRET } });
  worlds.push(world);
  await addProject(world, REPO, kind === 'github' ? FILES : QUICK);
  await world.start('s');
  return world;
}

const shown = (world) => ({ checks: world.fake.store.repo(REPO).checks,
  statuses: world.fake.store.repo(REPO).statuses,
  change: world.change(REPO, 1), violations: world.fake.violations,
  broken: world.fake.broken });

// The last job of a change, when it has ended and its host knows.
async function ended(world, number, count, repo = REPO) {
  const jobs = await until(`job ${count} of ${number}`, async () => {
    const all = await world.jobs(repo, number);
    return all.length >= count && all.every((j) => ['passed', 'failed',
      'cancelled', 'dead'].includes(j.state)) && all;
  });
  await world.quiet();
  return jobs.at(-1);
}

// What a check was, one after the other.
const states = (world, sha) => (world.kind === 'github'
  ? world.fake.requests.filter((r) => /check-runs/.test(r.path) && r.write)
    .filter((r) => r.method === 'POST' ? r.body.head_sha === sha : true)
    .map((r) => r.body.status).filter(Boolean)
  : world.fake.requests.filter((r) => r.method === 'POST' &&
    r.path.includes(`statuses/${sha}`)).map((r) => r.body.state));
const bodies = (world, number = 1, repo = REPO) => world.threads(repo, number)
  .map((t) => t.notes[0].body);
const lineOf = (world, what) => world.threads(REPO, 1)
  .filter((t) => what.test(t.notes[0].body)).map((t) => t.line);

// A job that is over at once would not be told of while it runs: hold it until
// that is said.
async function toldThatItRuns(world, sha) {
  await until('it to run', async () => (await world.jobs(REPO, 1))[0]?.state ===
    'running');
  const pids = children(world.the('w1').child.pid).filter((pid) =>
    process_(pid)?.name === 'run-job');
  const signal = (name) => pids.forEach((pid) => {
    try { process.kill(pid, name); } catch { /* it has ended */ }
  });
  signal('SIGSTOP');
  await until('its host to know', () => states(world, sha).length > 1);
  signal('SIGCONT');
}

// ---- a member's change --------------------------------------------------------------

async function opened(world) {
  const name = world.kind;
  await world.emit({ what: 'opened', repo: REPO, number: 1 });
  const { head_sha: sha } = world.change(REPO, 1);
  await until('a check', () => world.checks(REPO, sha).length);
  await world.start('w');
  await toldThatItRuns(world, sha);
  const job = await ended(world, 1, 1);
  const log = world.logOf(job.id);
  ok(job.state === 'failed' && job.about.fork === false &&
    /the secret is 15 long/.test(log) && !log.includes(SECRET),
  `${name}: opened: a job of a member, with its secret`, job.state, log);
  if (name === 'github')
    ok(/added 1 package/.test(log) && / ok \d+ - sums/.test(log) &&
      /not ok \d+ - counts/.test(log), `${name}: npm installed, and tested`, log);
  const said = states(world, sha);
  const wanted = { github: ['queued', 'in_progress', 'completed'],
    gitlab: ['pending', 'running', 'failed'],
    gitea: ['pending', 'pending', 'failure'] }[world.kind];
  ok(wanted.every((w) => said.includes(w)) && said.at(-1) === wanted.at(-1),
    `${name}: its check was queued, ran, and failed`, said, shown(world));
  ok(world.checks(REPO, sha).length === 1 || name !== 'github',
    `${name}: one check`, shown(world));
  const all = bodies(world);
  ok(all.filter((b) => /no-var/.test(b)).length === 2 &&
    all.filter((b) => /eqeqeq/.test(b)).length === 1 &&
    all.length === (name === 'github' ? 4 : 3),
  `${name}: a comment for each finding`, all);
  ok(world.kind === 'gitea' || all.filter((b) => /```suggestion/.test(b) &&
    /const n = list.length/.test(b)).length === 1, `${name}: with a suggestion`,
  all);
  ok(world.summaries(REPO, 1).length === 1, `${name}: one summary`, shown(world));
  return job;
}

async function pushed(world) {
  const name = world.kind;
  const before = world.change(REPO, 1).threads.length;
  // A person has seen enough of one.
  const seen = world.threads(REPO, 1).find((t) => /no-var/.test(t.notes[0].body) &&
    t.line === lineOf(world, /no-var/).at(-1));
  Object.assign(seen, { resolved: true, resolver: 'dev' });
  const old = world.change(REPO, 1).head_sha;
  await world.call('commit', { repo: REPO, branch: 'topic', files: SECOND,
    message: 'Compare as one should' });
  await world.emit({ what: 'updated', repo: REPO, number: 1, before: old });
  const job = await ended(world, 1, 2);
  const { threads, head_sha: sha } = world.change(REPO, 1);
  ok(job.state === 'passed' && job.about.commit === sha,
    `${name}: another push: another job, which passes`, job,
    job.state === 'passed' ? '' : world.logOf(job.id));
  ok(threads.length === before, `${name}: nothing is said twice`, shown(world));
  const open = bodies(world);
  ok(open.length === 1 && /no-var/.test(open[0]) && lineOf(world, /no-var/)[0] ===
    SECOND['lib/notes.js'].split('\n').indexOf('  var n = list.length;') + 1,
  `${name}: what moved stays, what is fixed is resolved, what was dismissed ` +
    'stays away', open, shown(world));
  ok(world.summaries(REPO, 1).length === 1, `${name}: still one summary`,
    shown(world));
  const checks = world.checks(REPO, sha);
  ok(name === 'github' ? checks.length === 1 && checks[0].conclusion === 'success'
    : checks.at(-1).state === 'success', `${name}: a check of the new commit`,
  checks);
}

// A pipeline that is wrong is told where the change is; the next one is good.
async function wrong(world) {
  const name = world.kind;
  const push = async (text) => {
    const { head_sha: before } = world.change(REPO, 1);
    await world.call('commit', { repo: REPO, branch: 'topic',
      files: { '.berth/test.yml': text }, message: 'Another pipeline' });
    await world.emit({ what: 'updated', repo: REPO, number: 1, before });
  };
  await push('on: change\nsteps:\n  - runn: true\n');
  let job = await ended(world, 1, 3);
  let checks = world.checks(REPO, world.change(REPO, 1).head_sha);
  const place = /\.berth\/test\.yml:3:5: /;
  ok(job.state === 'failed' && job.reason === 'pipeline_invalid' &&
    checks.length === 1 && (name === 'github'
    ? checks[0].name === 'test' && checks[0].conclusion === 'failure' &&
      place.test(checks[0].output.title) &&
      /unknown key .*runn/.test(checks[0].output.summary)
    : ['failed', 'failure'].includes(checks[0].state) &&
      place.test(checks[0].description)),
  `${name}: a wrong pipeline is told, with its place`, job, checks);
  await push(QUICK['.berth/test.yml']);
  job = await ended(world, 1, 4);
  checks = world.checks(REPO, world.change(REPO, 1).head_sha);
  ok(job.state === 'passed' && (checks.at(-1).conclusion ||
    checks.at(-1).state) === 'success', `${name}: and the next one runs`, job,
  checks);
}

// ---- a stranger's ---------------------------------------------------------------------

async function fork(world) {
  await addProject(world, PLAIN, QUICK);
  await world.addRepo('eve/notes', { fork_of: PLAIN, private: true,
    permissions: { eve: 'admin' } });
  await world.call('commit', { repo: 'eve/notes', branch: 'mine', from: 'main',
    files: { '.berth/test.yml': pipeline('fork', true), 'lib/notes.js':
      CHANGE['lib/notes.js'].replace('one == text', 'one === text') } });
  const number = await world.call('addChange', { repo: PLAIN, head: 'mine',
    fork: 'eve/notes', author: 'eve', title: 'Mine' });
  await world.emit({ what: 'opened', repo: PLAIN, number, sender: 'eve' });
  let job = await ended(world, number, 1, PLAIN);
  let log = world.logOf(job.id);
  ok(job.state === 'passed' && job.about.fork === true &&
    /pipeline: base/.test(log) && !/the secret is/.test(log),
  'fork: the pipeline of the base, without a secret', job, log);
  const check = () => world.checks(PLAIN, world.change(PLAIN, number).head_sha)
    .at(-1);
  ok(check().actions.some((a) => a.identifier === 'approve') &&
    bodies(world, number, PLAIN).length === 2, 'fork: a review, and a button',
  check(), bodies(world, number, PLAIN));

  await world.emit({ what: 'action', repo: PLAIN, check: check().id,
    identifier: 'approve', sender: 'eve' });
  await world.quiet();
  ok((await world.jobs(PLAIN, number)).length === 1,
    'fork: a stranger may not press it');
  await world.emit({ what: 'action', repo: PLAIN, check: check().id,
    identifier: 'approve', sender: 'dev' });
  job = await ended(world, number, 2, PLAIN);
  log = world.logOf(job.id);
  ok(job.state === 'passed' && job.about.fork === false &&
    /pipeline: fork/.test(log) && /the secret is 15 long/.test(log),
  'fork: approved, it runs as a member would', job, log);

  const before = world.change(PLAIN, number).head_sha;
  await world.call('commit', { repo: 'eve/notes', branch: 'mine',
    files: { more: 'x' } });
  await world.emit({ what: 'updated', repo: PLAIN, number, before, sender: 'eve' });
  job = await ended(world, number, 3, PLAIN);
  log = world.logOf(job.id);
  ok(job.about.fork === true && /pipeline: base/.test(log) &&
    !/the secret is/.test(log), 'fork: the next commit is not approved', job, log);
  return number;
}

// What a fork's job left in the cache a member's does not find.
async function cache(world) {
  await world.emit({ what: 'comment', repo: PLAIN, number: 1, body: '/berth test',
    sender: 'dev' });
  const job = await ended(world, 1, 1, PLAIN);
  const log = world.logOf(job.id);
  ok(/seen:/.test(log) && !/seen: (fork|base)/.test(log), 'no cache of a fork',
    log);
}

// ---- commands -------------------------------------------------------------------------

async function commands(world) {
  const say = async (body, sender) => {
    await world.emit({ what: 'comment', repo: PLAIN, number: 1, body, sender });
    await until(`'${body}' to be dealt with`, async () => !Number(await
      world.redis.call('ZCARD',
        world.key(`deliveries:waiting:${world.kind}`))));
  };
  const jobs = () => world.jobs(PLAIN, 1);
  const failed = (await jobs()).at(-1);
  await say('/berth retry', 'eve');
  ok(failed.state === 'failed' && (await world.job(failed.id)).epoch === '1',
    'a stranger cannot retry', failed.state);
  await say('/berth retry', 'dev');
  await until('another attempt', async () => {
    const job = await world.job(failed.id);
    return job.state === 'failed' && job.epoch === '2';
  });
  ok((await jobs()).length === 1, 'who may write can retry');

  const push = async (text) => {
    const before = world.change(PLAIN, 1).head_sha;
    const count = (await jobs()).length;
    await world.call('commit', { repo: PLAIN, branch: 'topic',
      files: { slow: text } });
    await world.emit({ what: 'updated', repo: PLAIN, number: 1, before });
    return until('a slow job', async () => {
      const all = await jobs();
      return all.length > count && all.at(-1).state === 'running' && all.at(-1);
    });
  };
  const slow = await push('yes');
  await say('/berth cancel', 'eve');
  ok((await world.job(slow.id)).state === 'running', 'a stranger cannot cancel');
  await say('/berth cancel', 'dev');
  await ended(world, 1, 2, PLAIN);
  ok((await world.job(slow.id)).state === 'cancelled',
    'who may write can cancel');
  const last = await push('again');
  await world.emit({ what: 'closed', repo: PLAIN, number: 1 });
  await ended(world, 1, 3, PLAIN);
  const [check] = world.checks(PLAIN, last.about.commit);
  ok((await world.job(last.id)).state === 'cancelled' &&
    check.conclusion === 'cancelled', 'closed: its job is cancelled', check);
}

// ---- all of it ------------------------------------------------------------------------

function clean(world) {
  const { violations, broken, counts } = world.fake;
  ok(!violations.length && !broken.length && !counts.close_writes &&
    !counts.concurrent_writes && !counts.refused,
  `${world.kind}: the host has nothing to object to`, violations, broken, counts,
  world.fake.requests.filter((r) => r.status >= 400 && !r.git).map((r) =>
    `${r.method} ${r.path} ${r.status}`));
}

// As in the docs: ids, times and commits are others each time.
const plain = (text) => text.split('\n')
  .filter((line) => !/\(?(node:|\/workspace\/)/.test(line)).join('\n').replace(/\b[0-9a-f]{40}\b/g, 'COMMIT')
  .replace(/\b\d+(\.\d+)? ?s\b/g, 'N s').trim();

async function picture(world) {
  const text = plain(await world.call('render', { repo: REPO, number: 1 }));
  if (renders) console.log(text);
  const docs = fs.readFileSync(DOCS, 'utf8');
  const [, kept] = /<!-- tests\/e2e\/hosts.test.js --render -->\n+`{5}markdown\n([^]*?)\n`{5}/
    .exec(docs) || [];
  ok(kept === text, 'the docs show what people see', text);
}

async function one(kind) {
  const world = await setUp(kind);
  await opened(world);
  if (kind === 'github') await picture(world);
  await pushed(world);
  await wrong(world);
  if (kind === 'github') {
    await fork(world);
    await cache(world);
    await commands(world);
  }
  clean(world);
  await world.stop();
}

async function main() {
  const kinds = process.env.HOSTS_KIND ? [process.env.HOSTS_KIND]
    : ['github', 'gitlab', 'gitea'];
  for (const kind of renders ? ['github'] : kinds) await one(kind);
}

main().catch((error) => {
  for (const world of worlds) world.fake.stop().catch(() => {});
  ok(false, 'the test itself', error, worlds.map((w) =>
  ['s1', 'w1'].map((n) => w.log(n).split('\n').slice(-15).join('\n')))
  .flat().join('\n'));
}).finally(() => {
  for (const world of worlds)
    for (const service of [...world.all, world.redisServer])
      service.signal('SIGKILL');
  end();
});
