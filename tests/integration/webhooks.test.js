#!/usr/bin/env node
// tests/integration/webhooks.test.js - what hosts send, as berth reads it.
// SPDX-License-Identifier: Apache-2.0
// timeout 120
//
// All payloads of @octokit/webhooks-examples, deliveries of a real Gitea and
// GitLab's documented samples, signed, through tests/tools/webhook_read. What
// becomes of each of GitHub's is tests/webhooks/github.txt; --table prints it.
'use strict';

const { execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');
const npm = require('../lib/npm');
const { ok, end } = require('../lib/tap');

const top = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(top, 'build/debug/bin/berth');
const reader = path.resolve(path.dirname(berth), '../tests/tools/webhook_read');
const table = path.join(top, 'tests/webhooks/github.txt');
const tmp =
  process.env.TEST_TMP || fs.mkdtempSync(path.join(os.tmpdir(), 'hooks-'));

const NOW = Date.parse('2026-11-23T00:00:00Z');
const SECRET = "It's a Secret to Everybody";
const OLD = 'the secret before';
const SECRETS = [{ name: 'old', value: OLD }, { name: 'new', value: SECRET }];

// ---- requests ---------------------------------------------------------------

// One reader for all, which answers a line for each; through FIFOs, which can
// be read and written without waiting in the loop.
function startReader() {
  const [input, output] = ['in', 'out'].map((n) => path.join(tmp, `fifo-${n}`));
  execFileSync('mkfifo', [input, output]);
  const held = [input, output].map((f) => fs.openSync(f, 'r+'));
  const stdio = [fs.openSync(input, 'r'), fs.openSync(output, 'w'), 'inherit'];
  const ends = { to: fs.openSync(input, 'w'), from: fs.openSync(output, 'r') };
  ends.child = spawn(reader, { stdio });
  for (const fd of [...held, stdio[0], stdio[1]]) fs.closeSync(fd);
  return ends;
}

const ends = startReader();

function readOne(request) {
  const line = JSON.stringify({ secrets: SECRETS, now: NOW, ...request }) + '\n';
  const bytes = Buffer.from(line);
  for (let at = 0; at < bytes.length;)
    at += fs.writeSync(ends.to, bytes, at);
  const chunks = [];
  const chunk = Buffer.alloc(65536);
  do {
    const n = fs.readSync(ends.from, chunk);
    if (!n) throw new Error(`the reader died of ${line.slice(0, 2000)}`);
    chunks.push(Buffer.from(chunk.subarray(0, n)));
  } while (chunks.at(-1).at(-1) !== 10);
  return JSON.parse(Buffer.concat(chunks));
}

function hmac(key, ...parts) {
  const mac = crypto.createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac;
}

function github(event, payload, more = {}) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const signature = hmac(more.key || SECRET, body).digest('hex');
  return { route: 'github', base: 'https://github.com', body, headers: [
    'Content-Type: application/json', `X-GitHub-Event: ${event}`,
    'X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958',
    `X-Hub-Signature-256: sha256=${signature}`], ...more };
}

function gitlab(payload, more = {}) {
  return { route: 'gitlab', base: 'http://example.com/', headers: [
    'Content-Type: application/json', 'X-Gitlab-Event: Any Hook',
    'X-Gitlab-Event-UUID: 13792a34-cac6-4fda-95a8-c58e00a3954e',
    'Idempotency-Key: f5e3', `X-Gitlab-Token: ${SECRET}`],
  body: JSON.stringify(payload), ...more };
}

const fixture = (name) => fs.readFileSync(path.join(top, 'tests/fixtures', name));
const sample = (name) => JSON.parse(fixture(`gitlab/${name}.json`));

function gitea(name, more = {}) {
  return { route: 'gitea', base: 'http://127.0.0.1:4820',
    secrets: [{ name: 'gitea', value: 's3cret' }],
    body: fixture(`gitea/${name}.body`).toString(),
    headers: fixture(`gitea/${name}.headers`).toString().trim().split('\n'),
    ...more };
}

const replace = (headers, name, value) => headers
  .filter((h) => !h.toLowerCase().startsWith(name.toLowerCase() + ':'))
  .concat(value === null ? [] : [`${name}: ${value}`]);

// A copy of a payload with something else in it.
function change(payload, edit) {
  const copy = structuredClone(payload);
  edit(copy);
  return copy;
}

// ---- GitHub's payloads ------------------------------------------------------

const examples = npm.install(path.join(top, 'tests/webhooks'), tmp)(
  '@octokit/webhooks-examples');

function outcome(result) {
  if (result.status) return `refused ${result.status}: ${result.reason}`;
  if (result.unread) return `unread: ${result.unread}`;
  const e = result.event;
  return e.kind === 'ignored' ? `ignored: ${e.reason}`
    : `${e.kind}${e.change ? ` #${e.change}` : ''} fork=${e.fork}`;
}

const all = examples.flatMap((e) => e.examples.map((p) => [e.name, p]));
const results = all.map(([name, p]) => readOne(github(name, p)));
const lines = new Map();
all.forEach(([name, payload], i) => {
  const event = payload.action ? `${name}.${payload.action}` : name;
  const line = `${event.padEnd(44)} ${outcome(results[i])}`;
  lines.set(line, (lines.get(line) || 0) + 1);
});
const found = [...lines].sort().map(([l, n]) => `${String(n).padStart(3)} ${l}`);
if (process.argv.includes('--table')) {
  console.log(found.join('\n'));
  process.exit(0);
}

const example = (name, action, fits = () => true) => examples
  .find((e) => e.name === name).examples
  .find((p) => p.action === action && fits(p));

ok(all.length === 329 && results.length === 329,
  `all 329 payloads of ${examples.length} events are read`, results.length);
ok(results.every((r) => r.status === 0), 'none is refused');
ok(results.every((r) => r.delivery.forge === 'github' &&
  r.delivery.secrets === 2), 'each is of GitHub, by the second secret');
{
  // Two of them have been recorded at http://github.com.
  const unread = results.filter((r) => !r.event).map((r) => r.unread);
  ok(unread.length === 2 && unread.every((u) => /address/.test(u)),
    'each is understood but for two of another address', ...unread);
}
{
  const want = fs.readFileSync(table, 'utf8').trimEnd().split('\n');
  ok(want.join('\n') === found.join('\n'), 'what becomes of each is as listed',
    ...found.filter((l) => !want.includes(l)).map((l) => `+ ${l}`),
    ...want.filter((l) => !found.includes(l)).map((l) => `- ${l}`));
}
ok(new Set(results.map((r) => r.delivery.key)).size ===
  new Set(all.map(([, p]) => JSON.stringify(p))).size,
'each body has a key of its own');
{
  const r = readOne(github('pull_request', example('pull_request', 'opened')));
  const e = r.event;
  ok(e.kind === 'opened' && e.change === 2 && e.fork === 'no' &&
    e.name === 'pull_request.opened', 'an opened pull request', r);
  ok(e.repo.id === 186853002 && e.repo.full_name === 'Codertocat/Hello-World' &&
    e.repo.clone_url === 'https://github.com/Codertocat/Hello-World.git' &&
    e.repo.default_branch === 'master' && !e.repo.is_private,
  'its repository', e.repo);
  ok(/^[0-9a-f]{40}$/.test(e.head.sha) && e.head.ref === 'changes' &&
    e.head.repo_id === e.repo.id && e.base.ref === 'master' &&
    e.base.sha !== e.head.sha, 'both ends of it', e.head, e.base);
  ok(e.author.login === 'Codertocat' && e.author.id === 21031067 &&
    !e.author.is_bot && e.association === 'owner' &&
    e.title === 'Update the README with new information.', 'who, and what', e);
  ok(r.delivery.id === '72d3162e-cc78-11e3-81ab-4c9367dc0958' &&
    r.delivery.event === 'pull_request', 'the ids that it came with', r.delivery);
}

const pull = example('pull_request', 'opened');
const pullAs = (edit) => readOne(github('pull_request', change(pull, edit)));

{
  let r = pullAs((p) => { p.pull_request.head.repo.id = 7; });
  ok(r.event.fork === 'yes' && r.event.head.repo_id === 7, 'a fork\'s', r);
  r = pullAs((p) => { p.pull_request.head.repo = null; });
  ok(r.event.fork === 'yes' && r.event.head.repo_id === 0,
    'a fork that is gone', r);
  r = pullAs((p) => { p.pull_request.base.repo.id = 7; });
  ok(/another repository/.test(r.unread), 'into another repository: no', r);
  r = pullAs((p) => { p.pull_request.draft = true; });
  ok(r.event.kind === 'opened' && r.event.is_draft, 'a draft', r);
  r = pullAs((p) => { p.action = 'edited'; p.changes = { base: {} }; });
  ok(r.event.kind === 'updated', 'another base branch is an update', r);
  r = pullAs((p) => { p.action = 'edited'; p.changes = { title: {} }; });
  ok(r.event.kind === 'ignored', 'another title is not', r);
  r = pullAs((p) => {
    p.pull_request.title = 'a\u202eb\nc\u0000d' + 'é'.repeat(2000);
  });
  ok(r.event.title.startsWith('ab c dé') && Buffer.byteLength(r.event.title) >
    1000 && Buffer.byteLength(r.event.title) <= 1024,
  'a title is one line, cut between characters', r.event);
  r = pullAs((p) => {
    p.pull_request.labels = [{ name: 'ok' }, { name: 'a\u0007b' }, { name: 7 },
      { name: 'x'.repeat(300) }, ...Array(200).fill({ name: 'many' })];
  });
  ok(r.event.labels.length === 100 && r.event.labels[0] === 'ok' &&
    r.event.labels[1] === 'many', 'labels that cannot be are left out', r.event);
}
for (const ref of ['-x', 'a..b', 'a\u0001b', 'a b', 'refs/heads/x.lock', '/x',
  'x/', 'a//b', '@{1}', 'x'.repeat(300), '', 7, 'a\u0000b', '.x']) {
  const r = pullAs((p) => { p.pull_request.head.ref = ref; });
  ok(/cannot be the name of a branch/.test(r.unread),
    `no branch: ${JSON.stringify(ref).slice(0, 20)}`, r);
}
for (const [what, edit] of [
  ['another host', (p) => { p.repository.clone_url =
    'https://github.com.evil.example/Codertocat/Hello-World.git'; }],
  ['a user before it', (p) => { p.repository.clone_url =
    'https://github.com@evil.example/Codertocat/Hello-World.git'; }],
  ['another repository', (p) => { p.repository.clone_url =
    'https://github.com/Codertocat/Other.git'; }],
  ['another name', (p) => { p.repository.full_name = '../Hello-World'; }],
  ['another scheme', (p) => { p.repository.clone_url =
    'http://github.com/Codertocat/Hello-World.git'; }],
]) {
  const r = pullAs(edit);
  ok(r.status === 0 && /repository/.test(r.unread), `its address: ${what}`, r);
}
for (const [what, edit] of [
  ['of zeros', (p) => { p.pull_request.head.sha = '0'.repeat(40); }],
  ['too short', (p) => { p.pull_request.head.sha = 'abc'; }],
  ['an option', (p) => { p.pull_request.head.sha = '--upload-pack=x'; }],
]) {
  const r = pullAs(edit);
  ok(/no commit/.test(r.unread), `a commit ${what}`, r);
}
for (const [what, edit] of [
  ['text', (p) => { p.number = p.pull_request.number = '2'; }],
  ['negative', (p) => { p.pull_request.number = -2; }],
  ['a fraction', (p) => { p.pull_request.number = 2.5; }],
]) {
  const r = pullAs(edit);
  ok(/no number/.test(r.unread), `a number that is ${what}`, r);
}

// The name of the event is not signed.
for (const [as, payload] of [['pull_request', example('pull_request_review',
  'submitted')], ['pull_request', example('push')], ['push', pull],
['issue_comment', pull], ['check_run', example('check_suite', 'rerequested')]]) {
  const r = readOne(github(as, payload));
  ok(r.status === 0 && r.unread, `another event's body as ${as}`, r);
}
{
  const a = readOne(github('pull_request', pull));
  const b = readOne(github('pull_request_target', pull));
  ok(a.delivery.key === b.delivery.key, 'the key is of the body alone', a, b);
}
{
  const push = example('push', undefined, (p) => p.commits.length > 0);
  const before = '1'.repeat(40);
  const as = (edit) => readOne(github('push', change(push, (p) => {
    p.before = before;
    p.forced = false;
    edit(p);
  }))).event;
  let e = as(() => {});
  ok(e.kind === 'push' && e.head.sha === push.after && e.base.sha === before &&
    e.paths_known && e.paths.length > 0, 'a push, and its paths', e);
  e = as((p) => { p.forced = true; });
  ok(e.kind === 'push' && !e.paths_known && !e.paths.length,
    'a forced push hides paths', e);
  e = as((p) => { p.after = '0'.repeat(40); p.ref = 'refs/heads/gone'; });
  ok(e.kind === 'deleted' && e.head.ref === 'gone' && e.head.sha === '',
    'a branch is gone', e);
  e = as((p) => { p.ref = 'refs/heads/gh-readonly-queue/main/pr-1-abc'; });
  ok(e.kind === 'ignored', 'the merge queue\'s branches are its own', e);
  e = as((p) => { p.commits[0].added = ['a/../../b']; });
  ok(e.kind === 'push' && !e.paths_known, 'no path: then none is known', e);
}
{
  const comment = change(example('issue_comment', 'created'), (p) => {
    p.issue.pull_request = { url: 'x' };
    p.issue.state = 'open';
  });
  const as = (body, edit = () => {}) => readOne(github('issue_comment',
    change(comment, (p) => { p.comment.body = body; edit(p); }))).event;
  let e = as('Please.\r\n/berth test\r\n/berth  review \n> /berth cancel\n');
  ok(e.kind === 'command' && e.commands.join() === 'test,review' &&
    e.fork === 'unknown' && e.change === comment.issue.number &&
    e.comment_id === comment.comment.id, 'commands of a comment', e);
  for (const [text, why] of [['say /berth test', 'no command'],
    ['```\n/berth test\n```', 'no command'], ['/berths', 'no command'],
    ['<!-- \n/berth test\n-->', 'no command'], ['  /berth test', 'no command'],
    ['/berth test now', 'alone'], ['/berth deploy', 'alone']]) {
    e = as(text);
    ok(e.kind === 'ignored' && e.reason.includes(why),
      `no command: ${JSON.stringify(text)}`, e);
  }
  e = as('/berth test', (p) => { p.comment.user.type = 'Bot'; });
  ok(e.kind === 'ignored' && /program/.test(e.reason), 'a bot\'s', e);
  e = as('/berth test', (p) => { p.action = 'edited'; });
  ok(e.kind === 'ignored' && /new/.test(e.reason), 'an edited one', e);
  e = as('/berth test', (p) => { p.issue.state = 'closed'; });
  ok(e.kind === 'ignored' && /closed/.test(e.reason), 'on a closed one', e);
  e = as('/berth test', (p) => { delete p.issue.pull_request; });
  ok(e.kind === 'ignored' && /not on a pull/.test(e.reason), 'on an issue', e);
}
{
  const e = readOne(github('check_suite',
    example('check_suite', 'rerequested'))).event;
  ok(e.kind === 'rerun' && e.check.suite_id === 118578147 &&
    e.check.app_id === 29310 && e.change === 2 && e.fork === 'no',
  'a suite again: whose, and of which change', e);
  const run = example('check_run', 'requested_action');
  const a = readOne(github('check_run', run)).event;
  ok(a.kind === 'action' && a.check.id === run.check_run.id && a.change &&
    a.check.action === run.requested_action.identifier && a.fork === 'no',
  'a button of a check run', a);
  const again = readOne(github('check_run', change(run, (p) => {
    p.action = 'rerequested';
    p.check_run.pull_requests[0].head.repo.id++; }))).event;
  ok(again.kind === 'rerun' && again.check.action === '' &&
    again.fork === 'yes', 'a check run again, of a fork', again);
  const alone = readOne(github('check_run', change(run, (p) => {
    p.check_run.pull_requests = []; }))).event;
  ok(alone.kind === 'action' && !alone.change && alone.fork === 'unknown',
    'of which change is not told', alone);
}

// ---- signatures ---------------------------------------------------------------

function refused(name, request, status, reason) {
  const r = readOne(request);
  ok(r.status === status && reason.test(r.reason) && !r.event, name, r);
}

{
  const good = github('push', 'Hello, World!');
  ok(good.headers[3].endsWith('757107ea0eb2509fc211221cce984b8a37570b6d7586c22c' +
    '46f4379c8b043e17'), 'GitHub\'s own vector is what we sign');
  const r = readOne(good);
  ok(r.status === 0 && /no JSON/.test(r.unread), 'it is good, and no JSON', r);
  const as = (value) => ({ ...good, headers:
    replace(good.headers, 'X-Hub-Signature-256', value) });
  const value = good.headers[3].split(': ')[1];
  refused('GitHub: wrong', as(value.replace(/.$/, '8')), 401, /wrong/);
  refused('GitHub: missing', as(null), 401, /missing/);
  refused('GitHub: truncated', as(value.slice(0, -1)), 401, /malformed/);
  refused('GitHub: longer', as(value + '0'), 401, /malformed/);
  refused('GitHub: empty', as(''), 401, /malformed/);
  refused('GitHub: without its prefix', as(value.slice(7)), 401, /malformed/);
  refused('GitHub: two of them', { ...good, headers: [...good.headers,
    good.headers[3]] }, 401, /more than one/);
  refused('GitHub: SHA-1 alone', { ...as(null), headers: [...as(null).headers,
    'X-Hub-Signature: sha1=0'] }, 401, /missing/);
  refused('GitHub: another body', { ...good, body: good.body + ' ' }, 401, /wrong/);
  refused('GitHub: another secret', github('push', 'x', { key: 'other' }), 401,
    /wrong/);
  refused('no secret at all', { ...good, secrets: [] }, 401, /no webhook secret/);
  refused('an empty secret fits nothing', { ...good, secrets: [{ name: 'e',
    value: '' }], headers: replace(good.headers, 'X-Hub-Signature-256',
    'sha256=' + hmac('', good.body).digest('hex')) }, 401, /wrong/);
  refused('no host\'s', { ...good, headers: ['Host: x'] }, 400, /no delivery/);
  refused('another host\'s address', { ...good, route: 'gitlab' }, 400,
    /no delivery of gitlab/);
  const old = readOne(github('pull_request', pull, { key: OLD }));
  ok(old.delivery.secrets === 1, 'the secret before the last is good, too', old);
}
for (const name of ['01-push-', '02-pull_request-opened',
  '05-pull_request-synchronized', '07-issue_comment-created',
  '08-pull_request-closed']) {
  const r = readOne(gitea(name));
  const kind = { '01': 'push', '02': 'opened', '05': 'updated', '07': 'ignored',
    '08': 'closed' }[name.slice(0, 2)];
  ok(r.delivery.forge === 'gitea' && r.event.kind === kind &&
    r.event.repo.full_name === 'root1/demo' &&
    r.event.fork === (kind === 'ignored' ? 'unknown' : 'no'),
  `Gitea: ${name} is ${kind}`, r);
}
{
  const good = gitea('02-pull_request-opened');
  refused('Gitea to GitHub\'s address', { ...good, route: 'github' }, 400,
    /no delivery of github/);
  refused('Gitea: its own header decides, not GitHub\'s', { ...good, headers:
    replace(good.headers, 'X-Gitea-Signature', '0'.repeat(64)) }, 401, /wrong/);
  refused('Gitea: truncated', { ...good, headers: replace(good.headers,
    'X-Gitea-Signature', '0'.repeat(63)) }, 401, /malformed/);
  refused('Gitea: missing', { ...good, headers: replace(good.headers,
    'X-Gitea-Signature', null) }, 401, /missing/);
  const forgejo = good.headers.map((h) => h.replace('X-Gitea-', 'X-Forgejo-'));
  const r = readOne({ ...good, headers: forgejo });
  ok(r.delivery.forge === 'gitea' && r.event.kind === 'opened',
    'Forgejo\'s names of the same', r);
  const bad = readOne({ ...good, base: 'http://127.0.0.1:4821' });
  ok(/address of the repository/.test(bad.unread), 'Gitea at another port', bad);
  const key = 's3cret';
  const again = (edit, event = 'pull_request') => {
    const body = JSON.stringify(change(JSON.parse(good.body), edit));
    return readOne({ ...good, body, headers: ['X-Gitea-Event: ' + event,
      'X-Gitea-Signature: ' + hmac(key, body).digest('hex')] });
  };
  let e = again((p) => { p.pull_request.title = 'WIP: t2'; }).event;
  ok(e.kind === 'opened' && e.is_draft, 'Gitea: a draft by its title', e);
  e = again((p) => { p.action = 'edited';
    p.changes = { title: { from: 'WIP: t2' } }; }).event;
  ok(e.kind === 'ready' && !e.is_draft, 'Gitea: a draft no more', e);
  e = again((p) => { p.ref = 'f2'; p.ref_type = 'branch';
    delete p.pull_request; }, 'delete').event;
  ok(e.kind === 'deleted' && e.head.ref === 'f2', 'Gitea: a branch is gone', e);
}

// ---- GitLab -------------------------------------------------------------------

for (const [name, kind, edit] of [
  ['push', 'push'], ['tag_push', 'tag'], ['merge_request', 'opened'],
  ['note_merge_request', 'ignored'], ['note_commit', 'ignored'],
  ['note_issue', 'ignored'], ['issue', 'ignored'], ['pipeline', 'ignored'],
  ['job', 'ignored'],
  ['merge_request', 'updated', (p) => {
    p.object_attributes.action = 'update';
    p.object_attributes.oldrev = '1'.repeat(40); }],
  ['merge_request', 'ready', (p) => {
    p.object_attributes.action = 'update';
    p.changes = { draft: { previous: true, current: false } }; }],
  ['merge_request', 'labeled', (p) => {
    p.object_attributes.action = 'update'; p.changes = { labels: {} }; }],
  ['merge_request', 'ignored', (p) => {
    p.object_attributes.action = 'update'; }],
  ['merge_request', 'ignored', (p) => {
    p.object_attributes.action = 'approved'; }],
  ['merge_request', 'reopened', (p) => {
    p.object_attributes.action = 'reopen'; }],
  ['merge_request', 'closed', (p) => {
    p.object_attributes.action = 'merge'; p.object_attributes.state = 'merged'; }],
  ['push', 'deleted', (p) => {
    p.after = '0'.repeat(40); p.checkout_sha = null; p.commits = []; }],
  ['note_merge_request', 'command', (p) => {
    p.object_attributes.note = '/berth retry'; }],
  ['note_merge_request', 'ignored', (p) => {
    p.object_attributes.note = '/berth retry';
    p.object_attributes.system = true; }],
  ['note_merge_request', 'ignored', (p) => {
    p.object_attributes.note = '/berth retry';
    p.user.username = 'project_14_bot_0a1b'; }],
]) {
  const r = readOne(gitlab(change(sample(name), edit || (() => {}))));
  ok(r.status === 0 && r.event && r.event.kind === kind,
    `GitLab: ${name} is ${kind}${r.event && r.event.reason &&
      `, ${r.event.reason}`}`, r);
}
{
  let e = readOne(gitlab(sample('merge_request'))).event;
  ok(e.change === 1 && e.fork === 'yes' && e.head.repo_id === 15 &&
    e.head.repo === 'awesome_space/awesome_project' && e.base.repo_id === 14 &&
    e.labels.join() === 'API' && e.repo.full_name === 'gitlabhq/gitlab-test' &&
    !e.repo.is_private && e.author.id === 51, 'a fork\'s merge request', e);
  e = readOne(gitlab(change(sample('merge_request'), (p) => {
    p.object_attributes.source_project_id = 14;
    p.project.visibility_level = 10; }))).event;
  ok(e.fork === 'no' && e.repo.is_private, 'not a fork\'s, and internal', e);
  e = readOne(gitlab(change(sample('merge_request'), (p) => {
    p.object_attributes.source_project_id = null;
    p.object_attributes.source = null; }))).event;
  ok(e.fork === 'yes', 'a fork that is gone', e);
  e = readOne(gitlab(sample('push'))).event;
  ok(e.paths_known && e.paths.join() ===
    'CHANGELOG,app/controller/application.rb', 'each path once', e);
  e = readOne(gitlab(change(sample('push'), (p) => {
    p.total_commits_count = 40; }))).event;
  ok(!e.paths_known, 'GitLab left commits out: no path is known', e);
}
{
  const body = JSON.stringify(sample('push'));
  const good = gitlab(null, { body });
  const token = (value) => ({ ...good, headers:
    replace(good.headers, 'X-Gitlab-Token', value) });
  refused('GitLab: wrong token', token(SECRET + 'x'), 401, /wrong/);
  refused('GitLab: truncated token', token(SECRET.slice(0, -1)), 401, /wrong/);
  refused('GitLab: no token', token(null), 401, /missing/);

  const key = crypto.randomBytes(32);
  const secret = 'whsec_' + key.toString('base64');
  const sign = (more = {}) => {
    const o = { id: 'msg_1', at: NOW / 1000, key, body, ...more };
    const mac = hmac(o.key, `${o.id}.${o.at}.`, o.body).digest('base64');
    return { ...good, body, secrets: [{ name: 's', value: secret }],
      headers: ['X-Gitlab-Event: Push Hook', `webhook-id: ${o.id}`,
        `webhook-timestamp: ${o.at}`, `webhook-signature: ${o.before || ''}` +
        `v1,${mac}`] };
  };
  ok(readOne(sign()).event.kind === 'push', 'the signed form');
  ok(readOne(sign({ at: NOW / 1000 - 299 })).status === 0, '… of 299 s ago');
  refused('… of 301 s ago', sign({ at: NOW / 1000 - 301 }), 401, /replay/);
  refused('… of 301 s from now', sign({ at: NOW / 1000 + 301 }), 401, /clock/);
  const other = hmac('x', 'y').digest('base64');
  ok(readOne(sign({ before: `v1,${other} v1a,abc ` })).status === 0,
    '… one of several signatures is ours');
  refused('… with another key', sign({ key: 'x' }), 401, /wrong/);
  refused('… of another body', sign({ body: 'x' }), 401, /wrong/);
  refused('… moved in time', { ...sign(), headers: replace(sign().headers,
    'webhook-timestamp', NOW / 1000 - 1) }, 401, /wrong/);
  refused('… of another id', { ...sign(), headers: replace(sign().headers,
    'webhook-id', 'msg_2') }, 401, /wrong/);
  refused('… truncated', { ...sign(), headers: replace(sign().headers,
    'webhook-signature', 'v1,abcd') }, 401, /malformed/);
  refused('… of no version that we know', { ...sign(), headers: replace(
    sign().headers, 'webhook-signature', `v2,${other}`) }, 401, /malformed/);
  refused('… its key is no token', { ...token(secret),
    secrets: [{ name: 's', value: secret }] }, 401, /wrong/);
  const both = sign({ key: 'x' });
  ok(readOne({ ...both, secrets: SECRETS, headers: [...both.headers,
    `X-Gitlab-Token: ${SECRET}`] }).status === 0,
  'a token will do while no signing key is configured');
}

// ---- bounds and scopes --------------------------------------------------------

{
  const scoped = (scope) => readOne(github('pull_request', pull, { secrets:
    [{ name: 's', value: SECRET, scope }] }));
  ok(scoped('Codertocat').event && scoped('codertocat/hello-world').event,
    'a secret speaks for what is in its scope');
  const r = scoped('Codertoc');
  ok(r.status === 0 && /may speak/.test(r.unread), '… and for nothing else', r);
  const two = readOne(github('pull_request', pull, { secrets: [
    { name: 'a', value: SECRET, scope: 'other' },
    { name: 'b', value: SECRET, scope: 'Codertocat' }] }));
  ok(two.event && two.delivery.secrets === 3, '… each is asked', two);
}
for (const [what, body, why] of [
  ['70 levels', '['.repeat(70) + ']'.repeat(70), /levels/],
  ['two million values', `{"a":[${'0,'.repeat(2000000)}0]}`, /values/],
  ['a list', '[]', /no object/], ['nothing', '', /no JSON/],
  ['a name twice', '{"ref":1,"ref":2}', /no JSON/],
  ['half of it', JSON.stringify(pull).slice(0, -9), /no JSON/],
]) {
  const r = readOne(github('push', body));
  ok(r.status === 0 && why.test(r.unread), `a body of ${what}`, r);
}
{
  const hex = 'ff' + Buffer.from('{}').toString('hex');
  const signature = hmac(SECRET, Buffer.from(hex, 'hex')).digest('hex');
  const r = readOne({ hex, route: 'github', base: 'https://github.com', headers: [
    'X-GitHub-Event: push', `X-Hub-Signature-256: sha256=${signature}`] });
  ok(r.status === 0 && /no JSON/.test(r.unread), 'a body that is not UTF-8', r);
  const large = ' '.repeat(25 * 1024 * 1024 + 1);
  refused('a body over 25 MiB', github('push', large), 413, /bytes/);
  const full = github('pull_request', JSON.stringify(pull) +
    ' '.repeat(25 * 1024 * 1024 - Buffer.byteLength(JSON.stringify(pull))));
  ok(readOne(full).event.kind === 'opened', 'one of 25 MiB is read');
}

// Sanitizers speak at the end.
ends.child.on('exit', (code) => {
  ok(code === 0, 'the reader ended well', code);
  end();
});
fs.closeSync(ends.to);
