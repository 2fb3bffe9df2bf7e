#!/usr/bin/env node
// tests/integration/forge_api.test.js - Git hosts' APIs, asked by `forge`.
// SPDX-License-Identifier: Apache-2.0
// timeout 120
// long 20
//
// A small server stands for the host: what it is asked, and what becomes of
// whatever it answers.
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { ok, end } = require('../lib/tap');
const { Forge, Host, frame } = require('../lib/forge');
const { BASE_URL, TOKEN, asApp, jwtIsGood, pem, same, setupOf,
  withForge } = require('../lib/forge_rig');

const tmp = process.env.TEST_TMP || fs.mkdtempSync(path.join(os.tmpdir(), 'fa-'));
const SHA = 'a'.repeat(40), BASE = 'b'.repeat(40);

// ---- tokens of an App ---------------------------------------------------------

// GitHub, as far as tokens go; `rest` answers all else.
function appHost({ minutes = 60, rest = () => ({ json: [] }), id = 99 } = {}) {
  let made = 0;
  return (request) => {
    if (request.path === '/repos/acme/app/installation')
      return { json: { id } };
    const match = /^\/app\/installations\/(\d+)\/access_tokens$/
      .exec(request.path);
    if (!match) return rest(request);
    if (Number(match[1]) !== id) return { status: 404, json: { message: 'Not Found' } };
    return { status: 201, json: {
      // As long as they have become.
      token: `ghs_${++made}_${'x'.repeat(510)}`,
      expires_at: new Date(Date.now() + minutes * 60000).toISOString(),
    } };
  };
}

async function testAppTokens() {
  await withForge('github', appHost(), async (forge, host) => {
    const first = await forge.ask('token', { installation: 99 });
    const [asked] = host.take();
    same(asked.body, { repositories: ['app'],
      permissions: { metadata: 'read', contents: 'read' } },
    'a token is for one repository, and reads it');
    ok(jwtIsGood(asked.headers.authorization), 'the App signs for itself');
    ok(first.username === 'x-access-token' && first.password.length > 500 &&
      first.expires_at_ms > Date.now(), 'it is told with its end', first);
    same(await forge.ask('token'), first, 'it is kept');
    same(host.take(), [], 'without asking again');
    await forge.ask('open_changes');
    await forge.ask('open_changes');
    const seen = host.take();
    same(seen.map((s) => s.path.split('?')[0]),
      ['/repos/acme/app/installation', '/app/installations/99/access_tokens',
        '/repos/acme/app/pulls', '/repos/acme/app/pulls'],
      'another one reads changes, also where the installation is not known');
    same(seen[1].body.permissions,
      { metadata: 'read', pull_requests: 'read' }, 'and nothing else');
    ok(seen[2].headers.authorization.startsWith('Bearer ghs_2_'), 'it is used',
      seen[2].headers);
    same([seen[2].headers['x-github-api-version'], seen[2].headers.accept],
      ['2022-11-28', 'application/vnd.github+json'], 'the headers are GitHub\'s');
    ok(/^berth\//.test(seen[2].headers['user-agent']), 'it says who asks');
  }, asApp);
  await withForge('github', appHost({ minutes: 40 }), async (forge, host) => {
    await forge.ask('token', { installation: 99 });
    await forge.ask('token', { installation: 99 });
    same(host.take().length, 2, 'a token that ends soon is not given out');
  }, asApp);
  await withForge('github', appHost({ id: 7 }), async (forge, host) => {
    const answer = await forge.ask('token', { installation: 99 });
    ok(answer.password, 'an installation of the past is looked up anew', answer);
    same(host.take().map((s) => s.path), ['/app/installations/99/access_tokens',
      '/repos/acme/app/installation', '/app/installations/7/access_tokens'],
    'once');
  }, asApp);
  // Who may put jobs in may say any installation: one where the App has another
  // repository of that name must not have its token kept for ours.
  const ours = appHost({ id: 7 });
  const theirs = appHost({ id: 99 });
  await withForge('github', (request) => {
    const answer = /\/99\//.test(request.path) ? theirs(request) : ours(request);
    if (answer.json.token)
      answer.json.repositories = [{ full_name:
        /\/99\//.test(request.path) ? 'eve/app' : 'Acme/app' }];
    return answer;
  }, async (forge, host) => {
    const answer = await forge.ask('token', { installation: 99 });
    ok(answer.password, 'an installation of another owner is none', answer);
    same(host.take().map((s) => s.path), ['/app/installations/99/access_tokens',
      '/repos/acme/app/installation', '/app/installations/7/access_tokens'],
    'the right one is looked up');
  }, asApp);
  await withForge('github', () => ({ status: 404, json: { message: 'Not Found' } }),
    async (forge) => {
      const answer = await forge.ask('token');
      ok(answer.error === 'refused' && answer.status === 404 &&
        /not installed for 'acme\/app'.*GET \/repos\/acme\/app\/installation.*Not Found/
          .test(answer.message), 'an App that is not installed is refused', answer);
    }, asApp);
}

async function testRefresh() {
  let bad = 1;
  const rest = (request) => (bad-- > 0
    ? { status: 401, json: { message: `Bad ${request.headers.authorization}` } }
    : { json: [] });
  await withForge('github', appHost({ rest }), async (forge, host) => {
    same(await forge.ask('open_changes', { installation: 99 }), { changes: [] },
      'a token that is not taken is made anew');
    same(host.take().map((s) => s.path.split('?')[0].split('/').at(-1)),
      ['access_tokens', 'pulls', 'access_tokens', 'pulls'], 'once');
    bad = 99;
    const answer = await forge.ask('open_changes', { installation: 99 });
    same([answer.error, answer.status, host.take().length], ['refused', 401, 3],
      'and no more than once');
    ok(!answer.message.includes('xxxx') && answer.message.includes('Bad Bearer *'),
      'what the host says of a token is not told', answer.message);
  }, asApp);
  await withForge('github', () => ({ status: 401, json: { message: `no ${TOKEN}!` } }),
    async (forge, host) => {
      const answer = await forge.ask('open_changes');
      same([answer.error, host.take().length], ['refused', 1],
        'another token than the one there is cannot be had');
      ok(!answer.message.includes(TOKEN), 'nor is it told', answer.message);
      same(await forge.ask('token'), { password: '' },
        'a plain token is not for jobs');
    });
}

// ---- what goes wrong ----------------------------------------------------------

async function outcome(kind, answer, more) {
  let got, seen;
  await withForge(kind, () => answer, async (forge, host) => {
    got = await forge.ask('open_changes');
    seen = host.take().length;
    got.again = await forge.ask('open_changes');
    got.more = host.take().length;
  }, more);
  return { ...got, seen };
}

async function testLimits() {
  const reset = Math.floor(Date.now() / 1000) + 100;
  const left = (headers) => ({ 'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(reset), ...headers });
  for (const [name, kind, answer, from, to] of [
    ['429 with Retry-After', 'github', { status: 429, headers: { 'retry-after': '30' } },
      30000, 30000],
    ['403 with Retry-After', 'github', { status: 403, headers: { 'retry-after': '40' } },
      40000, 40000],
    ['a budget that is spent', 'github', { status: 403, headers: left() }, 60000, 102000],
    ['a secondary limit without a time', 'github',
      { status: 403, json: { message: 'You have exceeded a secondary rate limit.' } },
      60000, 60000],
    ['GitLab\'s plain text', 'gitlab', { status: 429, headers: { 'retry-after': '20' },
      text: 'Retry later\n' }, 20000, 20000],
    ['503 with Retry-After', 'gitea', { status: 503, headers: { 'retry-after': '25' } },
      25000, 25000],
  ]) {
    const got = await outcome(kind, answer);
    ok(got.error === 'paused' && got.after_ms >= from && got.after_ms <= to &&
      got.seen === 1, `${name}: paused`, got);
    ok(got.again.error === 'paused' && got.again.after_ms <= got.after_ms &&
      got.more === 0, `${name}: the host is left alone`, got);
  }
  const no = await outcome('github',
    { status: 403, json: { message: 'Resource not accessible\nby integration' } });
  ok(no.error === 'refused' && no.status === 403 && no.more === 1 &&
    no.message.includes('GET /repos/acme/app/pulls') &&
    no.message.includes('not accessible by integration'),
  'another 403 is a permission', no);
  const last = await outcome('github', { json: [], headers: left() });
  ok(last.changes && last.again.error === 'paused' && last.more === 0,
    'after the last of a budget nothing is asked', last);
}

async function testAway() {
  for (const [name, answer, seen] of [
    ['500', { status: 500, text: '<html>oops</html>' }, 2],
    ['a page for people', { text: '<html>back soon</html>' }, 2],
    ['a cut connection', { cut: true }, 2],
    ['half an answer', { raw: 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[]' }, 2],
    ['no HTTP', { raw: 'SSH-2.0-OpenSSH\r\n\r\n' }, 2],
  ]) {
    const got = await outcome('gitea', answer);
    ok(got.error === 'away' && got.seen === seen, `${name}: away, once more asked`,
      got);
    ok(!/[<\n]/.test(got.message), `${name}: said in one line`, got.message);
  }
  let fails = 1;
  await withForge('gitea', () => (fails-- > 0 ? { status: 502 } : { json: [] }),
    async (forge) => same(await forge.ask('open_changes'), { changes: [] },
      'what comes at the second time is an answer'));
  await withForge('gitea', () => new Promise(() => {}), async (forge, host) => {
    const got = await forge.ask('open_changes');
    ok(got.error === 'away' && host.take().length === 1,
      'a host that is mute is waited for once', got);
  }, { timeout_ms: 300 });
  const nobody = await new Host(() => ({})).listen();
  nobody.close();
  const forge = new Forge(setupOf('gitlab', nobody));
  const got = await forge.ask('change', { number: 1 });
  ok(got.error === 'away' && got.status === 0, 'nobody there: away', got);
  await forge.end();
  const moved = await outcome('github', { status: 301,
    headers: { location: 'https://elsewhere.example.org/' } });
  ok(moved.error === 'refused' && moved.seen === 1 && /moved/.test(moved.message),
    'nobody is followed elsewhere', moved);
}

async function testMessages() {
  const says = async (kind, json) =>
    (await outcome(kind, { status: 422, json })).message;
  same(await says('github', { message: 'Validation Failed', errors: [
    { resource: 'CheckRun', field: 'name', code: 'missing_field' }, 'more'],
  documentation_url: 'https://docs' }),
  'GET /repos/acme/app/pulls?state=open&per_page=100: 422: Validation Failed; ' +
  'CheckRun; name; missing_field; more', 'GitHub\'s errors');
  same(await says('gitlab', { id: 1 }), 'GET /projects/acme%2Fapp: 422',
    'GitLab with nothing to say');
  same(await says('gitlab', { message: { base: ['is not a\u202etom', 'x'] } }),
    'GET /projects/acme%2Fapp: 422: base: is not atom; x', 'GitLab\'s nested ones');
  const long = await says('gitea', { message: '\u00fc'.repeat(9000) });
  ok(long.length < 600 && long.endsWith('\u00fc'), 'long ones are cut', long.length);
}

// ---- lists --------------------------------------------------------------------

function pull(number, more = {}) {
  const repo = { id: 5, full_name: 'acme/app', private: true,
    clone_url: `${BASE_URL}/acme/app.git`, default_branch: 'main' };
  return { number, state: 'open', draft: false, title: `Change ${number}`,
    body: 'Why\u202e.\r\n\tHow.\u0001', user: { id: 3, login: 'ada', type: 'User' },
    labels: [{ name: 'bug' }, { name: 7 }],
    head: { ref: 'topic', sha: SHA, repo }, base: { ref: 'main', sha: BASE, repo },
    ...more };
}

async function testPages() {
  const pages = (request) => {
    const page = Number(/[?&]page=(\d+)/.exec(request.path)?.[1] ?? 1);
    const next = `<http://${request.headers.host}/x?page=${page + 1}>; rel="next"`;
    return { json: [pull(page)], headers: page < 3 ? { link: next } : {} };
  };
  await withForge('github', pages, async (forge, host) => {
    const { changes } = await forge.ask('open_changes');
    same(changes.map((c) => c.number), [1, 2, 3], 'pages follow each other');
    same(host.take().map((s) => s.path), ['/repos/acme/app/pulls?state=open&per_page=100',
      '/x?page=2', '/x?page=3'], 'as the links say');
  });
  const away = await outcome('github', { json: [],
    headers: { link: '<http://169.254.169.254/latest>; rel="next"' } });
  ok(away.error === 'refused' && /another host/.test(away.message),
    'a link to another host is refused', away);
  const circle = (request) => ({ json: [pull(1)],
    headers: { link: `<http://${request.headers.host}/circle>; rel="next"` } });
  await withForge('gitea', circle, async (forge, host) => {
    const { changes } = await forge.ask('open_changes');
    same([changes.length, host.take().length], [50, 50], 'a circle ends');
  });
  const none = await outcome('github', { json: { not: 'a list' } });
  ok(none.error === 'refused' && none.seen === 1, 'no list: refused', none);
}

// ---- changes ------------------------------------------------------------------

async function ask(kind, handler, op, body) {
  let got;
  await withForge(kind, handler, async (forge) => { got = await forge.ask(op, body); });
  return got;
}

async function testPulls() {
  const change = (json) =>
    ask('github', () => ({ json }), 'change', { number: 8 });
  same(await change(pull(8)), {
    number: 8, state: 'open', draft: false, fork: false,
    head: { ref: 'topic', sha: SHA, repo: 'acme/app' },
    base: { ref: 'main', sha: BASE, repo: 'acme/app' },
    author: 'ada', author_is_bot: false, labels: ['bug'], title: 'Change 8',
    description: 'Why.\n\tHow. ', clone_url: `${BASE_URL}/acme/app.git`,
    default_branch: 'main',
  }, 'a change');
  const fork = await change(pull(8, { head: { ref: 'topic', sha: SHA,
    repo: { id: 6, full_name: 'eve/app' } }, draft: true,
  user: { login: 'renovate[bot]', type: 'Bot' } }));
  same([fork.fork, fork.head.repo, fork.draft, fork.author_is_bot],
    [true, 'eve/app', true, true], 'of a fork, by a program');
  const gone = await change(pull(8, { head: { ref: 't', sha: SHA, repo: null } }));
  same([gone.fork, gone.head.repo], [true, ''], 'of a fork that is gone');
  same((await change(pull(8, { state: 'closed', merged: true }))).state, 'merged',
    'merged');
  same((await change(pull(8, { state: 'closed' }))).state, 'closed', 'closed');
  const other = { ...pull(8).base.repo };
  for (const [name, json] of [
    ['no commit', pull(8, { head: { ref: 't', sha: 'HEAD' } })],
    ['an option as a branch', pull(8, { head: { ref: '--upload-pack=x', sha: SHA } })],
    ['another repository', pull(8, { base: { ref: 'main', sha: BASE,
      repo: { ...other, full_name: 'eve/app', clone_url: `${BASE_URL}/eve/app.git` } } })],
    ['another host', pull(8, { base: { ref: 'main', sha: BASE,
      repo: { ...other, clone_url: 'https://evil.org/acme/app.git' } } })],
    ['a list', []], ['nothing', {}],
  ]) {
    const got = await change(json);
    ok(got.error === 'refused' && got.message.length < 1000, `${name}: refused`, got);
  }
  const { changes } = await ask('gitea', () => ({ json: [pull(1), pull(2, { head: 7 }),
    pull(3), null] }), 'open_changes');
  same(changes.map((c) => c.number), [1, 3], 'a bad one does not keep the others');
}

async function testPullPaths() {
  const files = [{ filename: 'b' }, { filename: 'new', previous_filename: 'old' },
    { filename: 'b' }];
  const paths = (kind, handler) => ask(kind, handler, 'paths', { number: 8 });
  same(await paths('github', () => ({ json: files })),
    { paths: ['b', 'new', 'old'], complete: true }, 'paths, each once');
  same(await paths('github', () => ({ json: [...files, { filename: '../x' }] })),
    { paths: ['b', 'new', 'old'], complete: false }, 'what is no path is known of');
  const many = Array.from({ length: 3000 }, (_, i) => ({ filename: `f${i}` }));
  const all = await paths('github', () => ({ json: many }));
  same([all.paths.length, all.complete], [3000, false],
    'as many as GitHub lists may not be all');
  const diff = 'diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n';
  same(await paths('gitea', (r) => (r.path.endsWith('.diff') ? { text: diff }
    : { status: 404, json: {} })), { paths: ['x', 'y'], complete: true },
  'an old Gitea has a diff');
}

function mergeRequest(more = {}) {
  return { iid: 8, sha: SHA, source_branch: 'topic', target_branch: 'main',
    target_project_id: 5, source_project_id: 5, state: 'opened', draft: false,
    title: 'Draft no more', description: 'Why.', labels: ['bug'],
    author: { username: 'project_5_bot_9' }, diff_refs: { base_sha: BASE }, changes_count: '2', ...more };
}

function gitlab(answers) {
  const all = {
    '/projects/acme%2Fapp': { json: { id: 5, path_with_namespace: 'acme/app',
      http_url_to_repo: `${BASE_URL}/acme/app.git`, default_branch: 'main' } },
    '/projects/6': { json: { path_with_namespace: 'eve/app' } }, ...answers,
  };
  return (request) => {
    if (request.headers['private-token'] !== TOKEN)
      return { status: 401, json: { message: 'no PRIVATE-TOKEN' } };
    return all[request.path.replace(/[?&]per_page=100/, '')] ??
      { status: 404, json: { message: '404 Not found' } };
  };
}

async function testGitlab() {
  const at = '/projects/acme%2Fapp/merge_requests/8';
  const change = (more) => ask('gitlab', gitlab({ [at]: { json: mergeRequest(more) } }),
    'change', { number: 8 });
  same(await change(), {
    number: 8, state: 'open', draft: false, fork: false,
    head: { ref: 'topic', sha: SHA, repo: 'acme/app' },
    base: { ref: 'main', sha: BASE, repo: 'acme/app' },
    author: 'project_5_bot_9', author_is_bot: true, labels: ['bug'],
    title: 'Draft no more', description: 'Why.', clone_url: `${BASE_URL}/acme/app.git`,
    default_branch: 'main',
  }, 'a merge request');
  const fork = await change({ source_project_id: 6, work_in_progress: true,
    labels: [{ name: 'a' }] });
  same([fork.fork, fork.head.repo, fork.draft, fork.labels],
    [true, 'eve/app', true, ['a']], 'of a fork');
  const hidden = await change({ source_project_id: 7, state: 'merged' });
  same([hidden.fork, hidden.head.repo, hidden.state], [true, '', 'merged'],
    'of a fork that we may not see');
  ok((await change({ sha: null })).error === 'refused', 'without a commit: refused');
  const list = await ask('gitlab', gitlab({
    '/projects/acme%2Fapp/merge_requests?state=opened': { json: [mergeRequest(), 1] } }),
  'open_changes');
  same(list.changes.map((c) => c.number), [8], 'those that are open');
  const diffs = [{ old_path: 'a', new_path: 'a' }, { old_path: 'b', new_path: 'c' }];
  const paths = (more, answers) => ask('gitlab', gitlab({
    [at]: { json: mergeRequest(more) }, ...answers }), 'paths', { number: 8 });
  const listed = { [`${at}/diffs`]: { json: diffs } };
  same(await paths({}, listed), { paths: ['a', 'b', 'c'], complete: true }, 'paths');
  same((await paths({ changes_count: '1000+' }, listed)).complete, false,
    'paths of a large one');
  same(await paths({}, { [`${at}/changes`]: { json: { changes: diffs } } }),
    { paths: ['a', 'b', 'c'], complete: true }, 'paths by an old GitLab');
}

async function testPermissions() {
  const may = async (kind, handler) =>
    (await ask(kind, handler, 'permission', { login: 'ada' })).write;
  for (const [level, wanted] of [['admin', true], ['maintain', true],
    ['write', true], ['owner', true], ['read', false], ['triage', false],
    ['none', false], [1, false]])
    for (const kind of ['github', 'gitea'])
      same(await may(kind, (r) => (
        r.path === '/repos/acme/app/collaborators/ada/permission'
          ? { json: { permission: level } } : { status: 500 })), wanted,
      `${kind}: ${level}`);
  same(await may('github', () => ({ status: 404, json: {} })), false, 'nobody');
  ok((await ask('github', () => ({ status: 403, json: {} }), 'permission',
    { login: 'ada' })).error === 'refused', 'not told: refused');
  const member = (level, users = [{ id: 4, username: 'Ada' }]) => gitlab({
    '/users?username=ada': { json: users },
    '/projects/acme%2Fapp/members/all/4': { json: { access_level: level } } });
  for (const [level, wanted] of [[50, true], [30, true], [20, false], ['30', false]])
    same(await may('gitlab', member(level)), wanted, `gitlab: ${level}`);
  same(await may('gitlab', member(50, [{ id: 4, username: 'adam' }])), false,
    'gitlab: another of nearly that name');
  for (const login of ['', '..', '../../user', 7, 'x'.repeat(300), 'a/../b?c#d']) {
    let path_;
    const got = await ask('github', (r) => { path_ = r.path; return { status: 404 }; },
      'permission', { login });
    ok(got.error === 'refused' || (got.write === false && !path_.includes('..') ||
      /^\/repos\/acme\/app\/collaborators\/[^/]+\/permission$/.test(path_)),
    `a login like '${String(login).slice(0, 12)}' leads nowhere else`, got, path_);
  }
}

// ---- deliveries ---------------------------------------------------------------

// Three of each moment; what is sent again fails again, later than was asked.
async function testManyMissed() {
  const from = Math.floor(Date.now() / 1000) * 1000 - 3600000;
  const at = (n) => from + Math.floor(n / 3) * 1000;
  const list = Array.from({ length: 130 }, (_, n) => ({ id: n + 1,
    guid: `g${n}`, delivered_at: new Date(at(n)).toISOString(),
    status_code: 502 })).reverse();
  const handler = (r) => {
    if (r.method === 'GET') return { json: list };
    const id = Number(r.path.match(/deliveries\/(\d+)\/attempts/)[1]);
    list.unshift({ ...list.find((d) => d.id === id), id: id + 1000,
      delivered_at: new Date().toISOString() });
    return { status: 202 };
  };
  await withForge('github', handler, async (forge, host) => {
    const sent = () => host.take().map((s) =>
      Number((s.path.match(/(\d+)\/attempts/) || [])[1])).filter((id) => id);
    const until = from + 1800000;
    const upTo = (a, b) => Array.from({ length: b - a + 1 }, (_, i) => a + i);
    let got = await forge.ask('missed', { since_ms: from, until_ms: until });
    same([got.again, got.next_ms], [102, at(102)], 'as many as do not take long');
    same(sent(), upTo(1, 102), 'the oldest first');
    got = await forge.ask('missed', { since_ms: got.next_ms, until_ms: until });
    same([got.again, got.next_ms], [28, 0], 'and the others then');
    same(sent(), upTo(103, 130), 'each of them once');
  }, asApp);
}

async function testMissed() {
  const at = (s) => new Date(Date.now() - s * 1000).toISOString();
  const list = [
    { id: 9007199254740001, guid: 'late', delivered_at: at(1), status_code: 200 },
    { id: 21, guid: 'pending', delivered_at: at(2), status_code: 0, status: 'pending' },
    { id: 20, guid: 'lost', delivered_at: at(3), status_code: 502, status: 'x' },
    { id: 19, guid: 'late', delivered_at: at(4), status_code: 500 },
    { id: 18, guid: 'lost', delivered_at: at(5), status_code: 502 },
    { id: 17, guid: 'gone', delivered_at: at(6), status_code: 404 },
    { id: 'x', guid: 7 }, null,
    { id: 16, guid: 'before', delivered_at: at(600), status_code: 500 },
  ];
  const handler = (r) => {
    if (!jwtIsGood(r.headers.authorization)) return { status: 401 };
    if (r.path.startsWith('/app/hook/deliveries?'))
      return { json: list, headers: { link: '</never>; rel="next"' } };
    return r.path.includes('/17/') ? { status: 422, json: {} } : { status: 202 };
  };
  await withForge('github', handler, async (forge, host) => {
    const got = await forge.ask('missed',
      { since_ms: Date.now() - 60000, until_ms: Date.now() });
    same(got, { asked: 6, again: 1, next_ms: 0, complete: true }, 'what was lost is sent again');
    same(host.take().map((s) => `${s.method} ${s.path}`), [
      'GET /app/hook/deliveries?per_page=100',
      'POST /app/hook/deliveries/17/attempts',
      'POST /app/hook/deliveries/20/attempts'], 'once, and nothing else is');
  }, asApp);
  await testManyMissed();
  const none = await ask('gitlab', () => ({}), 'missed', { since_ms: 1 });
  ok(none.error === 'refused', 'other hosts have no such list', none);
}

// ---- hostile ones -------------------------------------------------------------

async function testHostile() {
  const huge = 'x'.repeat(1 << 20);
  const chunks = Array.from({ length: 17 }, () => huge).join('');
  for (const [name, answer, error] of [
    ['an answer of 17 MiB', { text: `["${chunks}"]` }, 'refused'],
    ['100000 levels', { text: '['.repeat(100000) }, 'away'],
    ['two million values', { text: `[${'1,'.repeat(2000000)}1]` }, 'away'],
    ['headers without end', { raw: `HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(1000)}\r\n`
      .repeat(200)}\r\n[]` }, 'away'],
    ['names twice', { text: '[{"a":1,"a":2}]' }, 'away'],
  ]) {
    const got = await outcome('gitea', answer);
    ok(got.error === error && got.message.length < 1000, `${name}: ${error}`, got);
  }
  await withForge('gitea', () => ({ json: [] }), async (forge, host) => {
    for (const repo of ['acme/../x', 'acme', '/etc/passwd', 'a/b?c', '', 7]) {
      const got = await forge.ask('open_changes', { repo });
      ok(got.error === 'refused', `'${repo}' is no repository`, got);
    }
    same(host.take(), [], 'and nobody is asked of it');
    ok((await forge.ask('nothing')).error === 'bug', 'an op that there is not');
    ok((await forge.ask('change')).error === 'refused', 'a change without a number');
    ok((await forge.askText('[')).error === 'refused', 'a question that is no JSON');
    const large = await forge.ask('open_changes', { padding: 'y'.repeat(5 << 20) });
    same(large, { changes: [] }, 'a question of several frames');
    const toolarge = await forge.ask('open_changes', { padding: 'y'.repeat(25 << 20) });
    ok(toolarge.error === 'refused', 'one that is too large', toolarge);
    same(await forge.ask('open_changes'), { changes: [] }, 'and it goes on');
  });
  const many = Array.from({ length: 2000 }, (_, i) =>
    pull(i + 1, { title: 't'.repeat(1000) }));
  await withForge('gitea', () => ({ json: many }), async (forge) => {
    const { changes } = await forge.ask('open_changes');
    ok(changes.length === 2000 && forge.frames > 1, 'an answer of several frames',
      changes.length, forge.frames);
  });
}

async function testProxy() {
  const host = await new Host(() => ({ json: [] })).listen();
  const forge = new Forge(setupOf('gitea', { url: 'http://git.example.org/api' }),
    { http_proxy: host.url });
  same(await forge.ask('open_changes'), { changes: [] }, 'through a proxy');
  same(host.take().map((s) => s.path.split('?')[0]),
    ['http://git.example.org/api/repos/acme/app/pulls'], 'which is asked for it');
  await forge.end();
  host.close();
}

// ---- TLS, and the process -----------------------------------------------------

async function testTls() {
  const file = (name) => path.join(tmp, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days',
    '2', '-subj', '/CN=git', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout',
    file('key.pem'), '-out', file('cert.pem')], { stdio: 'ignore' });
  const host = await new Host(() => ({ json: [] }), { key: fs.readFileSync(file('key.pem')),
    cert: fs.readFileSync(file('cert.pem')) }).listen();
  const trusting = new Forge(setupOf('gitea', host, { ca: file('cert.pem') }));
  same(await trusting.ask('open_changes'), { changes: [] },
    'a certificate of the file is trusted');
  const other = new Forge(setupOf('gitea', host));
  const got = await other.ask('open_changes');
  ok(got.error === 'away' && /certificate/i.test(got.message),
    'without it, it is not', got);
  await Promise.all([trusting.end(), other.end()]);
  host.close();
}

async function testProcess() {
  const host = await new Host(() => ({ json: [] })).listen();
  const quiet = new Forge(setupOf('gitea', host));
  await quiet.ask('open_changes');
  const status = fs.readFileSync(`/proc/${quiet.child.pid}/status`, 'utf8');
  const limits = fs.readFileSync(`/proc/${quiet.child.pid}/limits`, 'utf8');
  ok(/^NoNewPrivs:\t1$/m.test(status), 'it gains no privileges');
  ok(/^Max core file size +0 +0 /m.test(limits), 'no core of it is dumped');
  same(await quiet.end(), 0, 'it ends with its channel');
  for (const [name, setup] of [
    ['an App and a token', { app: '1', app_key: pem }],
    ['an App without a key', { app: '1', token: '' }],
    ['another kind', { forge: 'svn' }],
    ['no address', { base_url: 'ssh://x' }],
    ['a token with a line feed', { token: 'x\r\nEvil: 1' }],
  ]) {
    const forge = new Forge(setupOf('github', host, setup));
    const code = await forge.ended;
    ok(code === 1 && forge.stderr.startsWith('forge: ') &&
      !forge.stderr.includes('Evil') && !forge.stderr.includes(TOKEN),
    `${name}: it does not begin`, code, forge.stderr);
  }
  const wrong = new Forge(setupOf('github', host, { ...asApp, app_key: 'no key' }));
  const got = await wrong.ask('token');
  ok(got.error === 'refused' && !got.message.includes('no key\''),
    'a key that is none: refused', got);
  await wrong.end();
  const broken = new Forge(null);
  broken.channel.write(Buffer.alloc(9, 255));
  same(await broken.ended, 1, 'a frame that is too large ends it');
  const early = new Forge(null);
  early.channel.write(frame(3, 1, Buffer.from('{}')));
  same(await early.ended, 1, 'so does a question before the setup');
  host.close();
}

(async () => {
  for (const test of [testAppTokens, testRefresh, testLimits, testAway, testMessages,
    testPages, testPulls, testPullPaths, testGitlab, testPermissions, testMissed,
    testHostile, testProxy, testTls, testProcess])
    await test().catch((error) => ok(false, test.name, error));
  end();
})();
