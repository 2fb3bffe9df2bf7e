#!/usr/bin/env node
// tests/integration/fakes.test.js - the fake Git hosts refuse what hosts refuse.
// SPDX-License-Identifier: Apache-2.0
// timeout 240
// long 70
//
// What other tests rely on: that tests/fakes/forge can fail. Each rule is broken
// once, each fault happens, each webhook's signature fits.
'use strict';

const { execFile, execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const forge = require('../lib/forge_host');
const { ok, end } = require('../lib/tap');
const gitlabTests = require('./fakes_gitlab');
const giteaTests = require('./fakes_gitea');

const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'f'));
const LINES = Array.from({ length: 60 }, (_, i) => `line ${i + 1}`);
const text = (edit = {}) => LINES.flatMap((l, i) => edit[i + 1] ?? l).join('\n')
  + '\n';

// ---- asking -------------------------------------------------------------------

const asking = (fake, token, more = {}) => async (method, at, body, own = {}) => {
  const res = await fetch(fake.api + at, { method, headers: {
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    'user-agent': 'a test', accept: 'application/vnd.github+json',
    ...(body ? { 'content-type': 'application/json' } : {}), ...more, ...own },
  body: body && JSON.stringify(body) });
  const raw = await res.text();
  let json = null;
  try { json = JSON.parse(raw); } catch { /* it is none */ }
  return { status: res.status, json, raw, headers: res.headers };
};

// A repository with one change: line 10 and 50 changed, 20 removed, one file
// new and one gone.
async function world(fake, more = {}) {
  const name = more.name || 'o/r';
  await fake.call('addRepo', { name, permissions: { dev: 'write',
    berth: 'write', reader: 'read' } });
  const base = await fake.call('commit', { repo: name, branch: 'main',
    files: { 'a.txt': text(), 'gone.txt': 'one\ntwo\n', 'far.txt': text() } });
  const head = await fake.call('commit', { repo: name, branch: 'topic',
    from: 'main', files: { 'a.txt': text({ 10: 'ten', 20: [], 50: 'fifty' }),
      'gone.txt': null, 'new "x" ü.txt': 'new\n' } });
  const number = await fake.call('addChange', { repo: name, head: 'topic',
    base: 'main', author: 'dev', labels: ['bug'] });
  return { name, base, head, number };
}

const jwtOf = (claims, key, head = { alg: 'RS256', typ: 'JWT' }) => {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const signed = `${part(head)}.${part(claims)}`;
  return `${signed}.${crypto.sign('RSA-SHA256', Buffer.from(signed), key)
    .toString('base64url')}`;
};
const now = () => Math.floor(Date.now() / 1000);

async function startGithub(options = {}) {
  const fake = await forge.start({ kind: 'github', tmp, gap_ms: 2000, ...options });
  const w = await world(fake);
  const app = await fake.call('setApp', { id: 77, slug: 'berth' });
  const { id } = await fake.call('install', { repos: ['o/r'] });
  const claims = { iat: now() - 60, exp: now() + 500, iss: '77' };
  const asApp = asking(fake, jwtOf(claims, app.private_key));
  const made = await asApp('POST', `/app/installations/${id}/access_tokens`,
    { repositories: ['r'] });
  return { fake, ...w, app, installation: id, claims, asApp, made,
    ask: asking(fake, made.json.token) };
}

// ---- an App's tokens ------------------------------------------------------------

async function testTokens(g) {
  const { fake, app, claims, installation } = g;
  const at = `/app/installations/${installation}/access_tokens`;
  ok(g.made.status === 201 && g.made.json.token.length === 520 &&
    /^ghs_[A-Za-z0-9._-]{516}$/.test(g.made.json.token),
  'a token of 520 characters is made for a JWT', g.made.raw);
  const other = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const wrong = { 'another key': jwtOf(claims, other.privateKey),
    'iat to come': jwtOf({ ...claims, iat: now() + 30 }, app.private_key),
    'exp in the past': jwtOf({ ...claims, exp: now() - 1 }, app.private_key),
    'exp too far': jwtOf({ ...claims, exp: now() + 700 }, app.private_key),
    'another iss': jwtOf({ ...claims, iss: '78' }, app.private_key),
    'another alg': jwtOf(claims, app.private_key, { alg: 'HS256' }),
    'padding': `${jwtOf(claims, app.private_key)}==` };
  for (const [what, token] of Object.entries(wrong))
    ok((await asking(fake, token)('POST', at, {})).status === 401,
      `a JWT with ${what} is refused`);
  ok((await g.ask('GET', '/app')).status === 401, 'a token is no JWT');
  ok((await g.asApp('POST', at, { repositories: ['none'] })).status === 422,
    'a token for a repository it has not is refused');
  ok((await g.asApp('POST', at, { permissions: { contents: 'write' } }))
    .status === 422, 'a token that may more than the App is refused');
  const narrow = await g.asApp('POST', at, { repositories: ['r'],
    permissions: { contents: 'read' } });
  const ask = asking(fake, narrow.json.token);
  ok((await ask('POST', '/repos/o/r/check-runs', {})).status === 403,
    'what a token may not is 403');
  await fake.call('addRepo', { name: 'o/other' });
  ok((await ask('GET', '/repos/o/other')).status === 404,
    'another private repository is 404');
  ok((await asking(fake, null)('GET', '/repos/o/r')).status === 404,
    'without a token, too');
  ok((await g.asApp('GET', '/repos/o/r/installation')).json.id === installation
    && (await g.asApp('GET', '/repos/o/other/installation')).status === 404,
  'a repository knows its installation');
  await fake.call('expireTokens');
  ok((await g.ask('GET', '/repos/o/r')).status === 401,
    'a token that expired is 401');
  const again = await g.asApp('POST', at, {});
  g.ask = asking(fake, again.json.token);
  ok((await g.ask('GET', '/repos/o/r')).status === 200, 'the next one is good');
  const none = await new Promise((resolve) => http.get(`${fake.url}/user`,
    { headers: { authorization: 'token x' } }, (res) => resolve(res.statusCode)));
  ok(none === 403, 'without a User-Agent nothing is answered');
}

// ---- checks and statuses ----------------------------------------------------------

async function testChecks(g) {
  const { fake, head } = g;
  const at = '/repos/o/r/check-runs';
  const output = { title: 't', summary: 's' };
  const good = { name: 'ci', head_sha: head, output };
  const note = { path: 'a.txt', start_line: 1, end_line: 1,
    annotation_level: 'notice', message: 'm' };
  const many = (n) => Array.from({ length: n }, () => note);
  const bad = { 'no name': { head_sha: head }, 'no head_sha': { name: 'x' },
    'an unknown commit': { ...good, head_sha: '1'.repeat(40) },
    'no conclusion': { ...good, status: 'completed' },
    'an unknown conclusion': { ...good, conclusion: 'passed' },
    'no title': { ...good, output: { summary: 's' } },
    'no summary': { ...good, output: { title: 't' } },
    'a long summary': { ...good, output: { ...output,
      summary: 'ü'.repeat(65536) } },
    '51 annotations': { ...good, output: { ...output, annotations: many(51) } },
    'columns over lines': { ...good, output: { ...output, annotations: [
      { ...note, end_line: 2, start_column: 1, end_column: 2 }] } },
    'a level of ours': { ...good, output: { ...output, annotations: [
      { ...note, annotation_level: 'error' }] } },
    '4 actions': { ...good, actions: Array.from({ length: 4 }, () => ({
      label: 'a', description: 'b', identifier: 'c' })) },
    'a long label': { ...good, actions: [{ label: 'x'.repeat(21),
      description: 'd', identifier: 'i' }] },
    'a long identifier': { ...good, actions: [{ label: 'x', description: 'd',
      identifier: 'i'.repeat(21) }] },
    'a bare date': { ...good, started_at: '2026-01-01' } };
  for (const [what, body] of Object.entries(bad)) {
    const r = await g.ask('POST', at, body);
    ok(r.status === 422, `a check run with ${what} is refused`, r.raw);
  }
  const made = await g.ask('POST', at, { ...good, output: { ...output,
    summary: 'ü'.repeat(65535), annotations: many(50) } });
  ok(made.status === 201 && made.json.status === 'queued', 'a good one is made',
    made.raw);
  const edited = await g.ask('PATCH', `${at}/${made.json.id}`,
    { conclusion: 'failure', output: { ...output, annotations: many(7) } });
  ok(edited.json.output.annotations_count === 57 &&
    edited.json.status === 'completed', 'annotations are added to', edited.raw);
  const list = await g.ask('GET', `/repos/o/r/commits/${head}/check-runs` +
    '?check_name=ci');
  ok(list.json.total_count === 1 && list.json.check_runs[0].conclusion ===
    'failure', 'it is listed');
  const token = await fake.call('addToken', { login: 'dev' });
  const person = await asking(fake, token)('POST', at, good);
  ok(person.status === 403 && /GitHub App/.test(person.json.message),
    'people cannot write checks', person.raw);
  g.person = asking(fake, token);
}

async function testStatuses(g) {
  const at = `/repos/o/r/statuses/${g.head}`;
  const bad = { 'no state': { context: 'c' },
    'a state of checks': { state: 'queued' },
    'an empty context': { state: 'success', context: '' },
    '141 characters': { state: 'success', description: 'x'.repeat(141) },
    'no address': { state: 'success', target_url: 'about:blank' } };
  for (const [what, body] of Object.entries(bad))
    ok((await g.person('POST', at, body)).status === 422,
      `a status with ${what} is refused`);
  ok((await g.person('POST', `/repos/o/r/statuses/${'1'.repeat(40)}`,
    { state: 'success' })).status === 422, 'one of an unknown commit, too');
  const good = { state: 'pending', context: 'CI',
    description: '\u{1F6A2}'.repeat(140) };
  ok((await g.person('POST', at, good)).status === 201,
    'one of 140 characters is made');
  const reader = asking(g.fake, await g.fake.call('addToken',
    { login: 'reader' }));
  ok((await reader('POST', at, good)).status === 403, 'who reads cannot');
  const repo = g.fake.store.repo('o/r');
  for (let i = 0; i < 999; i++) repo.statuses.push({ ...repo.statuses[0] });
  ok((await g.person('POST', at, { state: 'success', context: 'ci' }))
    .status === 422, 'the 1,001st of a context in any case is refused');
  ok((await g.person('POST', at, { state: 'success', context: 'other' }))
    .status === 201, 'but not of another');
  const all = await g.person('GET', `/repos/o/r/commits/${g.head}/status`);
  ok(all.json.state === 'pending' && all.json.total_count === 2,
    'only the latest of each counts', all.raw);
  const page = await g.person('GET',
    `/repos/o/r/commits/${g.head}/statuses?per_page=100&page=2`);
  const link = page.headers.get('link');
  ok(page.json.length === 100 && /page=3>; rel="next"/.test(link) &&
    /page=1>; rel="prev"/.test(link) && /page=11>; rel="last"/.test(link),
  'lists have pages and a Link', link);
}

// ---- reviews ----------------------------------------------------------------------

async function testReviews(g) {
  const { fake, head } = g;
  const at = '/repos/o/r/pulls/1/reviews';
  const c = (more) => ({ path: 'a.txt', body: 'b', ...more });
  const put = (comments, more = {}) => g.ask('POST', at, { commit_id: head,
    event: 'COMMENT', body: 'x', comments, ...more });
  const bad = { 'a line outside': [c({ line: 30 })],
    'a removed line on the right': [c({ line: 60, side: 'RIGHT' })],
    'an added line on the left': [c({ path: 'new "x" ü.txt', line: 1,
      side: 'LEFT' })],
    'an unknown file': [c({ path: 'far.txt', line: 1 })],
    'no line': [c({})],
    'no body': [{ path: 'a.txt', line: 10 }],
    'a start in another hunk': [c({ start_line: 10, line: 49 })],
    'a start at its end': [c({ start_line: 10, line: 10 })],
    'a start behind its end': [c({ start_line: 11, line: 10 })],
    'a long body': [c({ line: 10, body: 'x'.repeat(65537) })],
    'one bad of three': [c({ line: 10 }), c({ line: 30 }), c({ line: 11 })] };
  for (const [what, comments] of Object.entries(bad)) {
    const r = await put(comments);
    ok(r.status === 422 && !/30|far/.test(r.raw),
      `a review with ${what} is refused, and not told which`, r.raw);
  }
  for (const [what, body] of Object.entries({ 'no body': { body: '' },
    'an unknown event': { event: 'APPROVED' },
    'a foreign commit': { commit_id: g.base } }))
    ok((await put([c({ line: 10 })], body)).status === 422,
      `a review with ${what} is refused`);
  ok((await g.person('POST', at, { commit_id: head, event: 'REQUEST_CHANGES',
    body: 'x' })).status === 422, 'nobody asks himself for changes');
  ok((await fake.call('change', { repo: 'o/r', number: 1 })).threads.length === 0,
    'none of them left anything');
  const good = await put([c({ line: 10 }), c({ line: 20, side: 'LEFT' }),
    c({ start_line: 48, line: 50, side: 'RIGHT', start_side: 'RIGHT' }),
    c({ path: 'gone.txt', line: 2, side: 'LEFT' }),
    c({ path: 'new "x" ü.txt', line: 1 })]);
  ok(good.status === 200 && good.json.state === 'COMMENTED',
    'a good review is answered with 200', good.raw);
  const list = await g.ask('GET', '/repos/o/r/pulls/1/comments');
  ok(list.json.length === 5 && list.json[2].start_line === 48 &&
    list.json[1].side === 'LEFT' && list.json[0].user.login === 'berth[bot]',
  'its comments are listed', list.raw);
  await testPending(g);
}

async function testPending(g) {
  const at = '/repos/o/r/pulls/1/reviews';
  const before = g.fake.violations.length;
  const body = { commit_id: g.head, body: 'x',
    comments: [{ path: 'a.txt', line: 11, body: 'hidden' }] };
  const r = await g.ask('POST', at, body);
  ok(r.status === 200 && r.json.state === 'PENDING' &&
    g.fake.violations.slice(before).some((v) => v.what === 'pending review'),
  'a review without event is pending, and held against us', r.raw);
  ok((await g.person('GET', at)).json.length === 1 &&
    (await g.person('GET', '/repos/o/r/pulls/1/comments')).json.length === 5,
  'and nobody sees it');
  ok((await g.ask('POST', at, body)).status === 422,
    'there is one of these at most');
  const file = await g.ask('POST', '/repos/o/r/pulls/1/comments',
    { commit_id: g.head, path: 'a.txt', body: 'of it all', subject_type: 'file' });
  ok(file.status === 201 && file.json.line === null,
    'a file can be commented on', file.raw);
  ok((await g.ask('POST', '/repos/o/r/pulls/1/comments', { commit_id: g.head,
    path: 'a.txt', body: 'x', line: 30 })).status === 422,
  'a line outside the diff cannot');
  const own = (await g.person('POST', '/repos/o/r/issues/1/comments',
    { body: 'mine' })).json;
  ok((await g.ask('PATCH', `/repos/o/r/issues/comments/${own.id}`,
    { body: 'yours' })).status === 403, "another's comment cannot be changed");
  ok((await g.person('PATCH', `/repos/o/r/issues/comments/${own.id}`,
    { body: 'x'.repeat(65537) })).status === 422, 'nor be made too long');
  ok((await g.person('PATCH', `/repos/o/r/issues/comments/${own.id}`,
    { body: 'x'.repeat(65536) })).status === 200, 'one of ours can');
}

const THREADS = `query($a: String, $n: Int = 2) {
  repository(owner: "o", name: "r") { pullRequest(number: 1) {
    reviewThreads(first: $n, after: $a) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved isOutdated line
        comments(first: 1) { nodes { id databaseId body author { login } } } }
    } } } }`;

async function threads(g, ask = g.ask) {
  const all = [];
  for (let a = null, pages = 0; pages < 20; pages++) {
    const r = await ask('POST', '/graphql', { query: THREADS, variables: { a } });
    const page = r.json.data.repository.pullRequest.reviewThreads;
    all.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return { all, pages: pages + 1 };
    a = page.pageInfo.endCursor;
  }
  return { all, pages: -1 };
}

async function testGraphql(g) {
  const { all, pages } = await threads(g);
  ok(all.length === 6 && pages === 3 && new Set(all.map((t) => t.id)).size === 6,
    'threads come in pages', { pages, all });
  ok(all[0].comments.nodes[0].author.login === 'berth',
    "an App's login has no [bot] in GraphQL");
  const change = (query, variables, ask = g.ask) => ask('POST', '/graphql',
    { query, variables });
  const RESOLVE = 'mutation($id: ID!) { resolveReviewThread(input: ' +
    '{threadId: $id}) { thread { isResolved } } }';
  const done = await change(RESOLVE, { id: all[0].id });
  ok(done.json.data.resolveReviewThread.thread.isResolved, 'one is resolved',
    done.raw);
  const HIDE = 'mutation H($id: ID!) { minimizeComment(input: {subjectId: $id, ' +
    'classifier: OUTDATED}) { minimizedComment { isMinimized } } }';
  const hidden = await change(HIDE, { id: all[1].comments.nodes[0].id });
  ok(hidden.json.data.minimizeComment.minimizedComment.isMinimized,
    'a comment is minimised', hidden.raw);
  const wrong = await change(RESOLVE, { id: 'PRRT_none' });
  ok(wrong.status === 200 && wrong.json.errors[0].type === 'NOT_FOUND' &&
    wrong.json.data.resolveReviewThread === null, 'an error is 200', wrong.raw);
  const missing = await change('{ repository(owner: "o", name: "other") { id } }');
  ok(missing.json.errors[0].type === 'NOT_FOUND', 'what is hidden is not found');
  for (const [what, query] of Object.entries({ 'no such field': '{ viewer { x } }',
    'no bound': THREADS.replace('first: $n, ', ''), 'a torn one': '{ viewer {',
    '101 of them': THREADS.replace('= 2', '= 101') })) {
    const r = await change(query);
    ok(r.status === 200 && r.json.errors.length > 0, `a query with ${what} fails`,
      r.raw);
  }
}

// A push moves what is on lines that stay, and leaves the others behind.
async function testPush(g) {
  await g.fake.call('commit', { repo: 'o/r', branch: 'topic',
    files: { 'a.txt': text({ 1: ['zero', 'line 1'], 10: 'TEN', 20: [],
      50: 'fifty' }) } });
  const { all } = await threads(g);
  const seen = all.map((t) => [t.isOutdated, t.line]);
  ok(seen[0][0] && seen[0][1] === null, 'a line that changed is outdated', seen);
  ok(!seen[2][0] && seen[2][1] === 51, 'one that moved is where it went', seen);
  ok(!seen[1][0] && seen[1][1] === 20, 'a removed one stays', seen);
  const list = (await g.ask('GET', '/repos/o/r/pulls/1/comments')).json;
  ok(list[0].line === null && list[0].original_line === 10 && list[2].line === 51,
    'REST says the same');
  const pull = (await g.ask('GET', '/repos/o/r/pulls/1')).json;
  const diff = await g.ask('GET', '/repos/o/r/pulls/1', null,
    { accept: 'application/vnd.github.diff' });
  ok(pull.head.sha !== g.head && /^\+TEN$/m.test(diff.raw),
    'the change has moved');
  const files = (await g.ask('GET', '/repos/o/r/pulls/1/files')).json;
  ok(files.length === 3 && files.some((f) => f.filename === 'new "x" ü.txt' &&
    f.status === 'added'), 'its files are named as they are', files);
  const seen2 = await g.fake.call('render', { repo: 'o/r', number: 1 });
  ok(/\(outdated, resolved\)/.test(seen2) && /\+fifty/.test(seen2) &&
    !/hidden$/m.test(seen2), 'a person sees all that', seen2);
}

// ---- faults -------------------------------------------------------------------------

async function testFaults(g) {
  const { fake } = g;
  const at = '/repos/o/r/issues/1/comments';
  const count = async () => (await fake.call('change',
    { repo: 'o/r', number: 1 })).comments.length;
  const post = () => g.ask('POST', at, { body: 'x' })
    .catch((error) => ({ status: 0, error }));
  const before = await count();
  const wanted = { 500: 500, 502: 502, primary: 403, 429: 429, secondary: 403,
    401: 401, 404: 404, 422: 422, cut: 0 };
  for (const [kind, status] of Object.entries(wanted)) {
    await fake.call('fault', { kind, method: 'POST', path: '/comments$' });
    const other = await g.ask('GET', at);
    const r = await post();
    ok(other.status === 200 && r.status === status && await count() === before,
      `${kind} on demand, of that request alone, and nothing is done`,
      { other: other.status, was: r.status });
    if (kind === 'primary')
      ok(r.headers.get('x-ratelimit-remaining') === '0' &&
        +r.headers.get('x-ratelimit-reset') >= now(), 'with when it ends');
    if (kind === '429')
      ok(r.headers.get('retry-after') === '1', 'with how long to wait');
    if (kind === 'secondary')
      ok(/secondary rate limit/.test(r.raw), 'with the words');
  }
  await fake.call('fault', { kind: 'cut-after', method: 'POST' });
  ok((await post()).status === 0 && await count() === before + 1,
    'a connection can break when it is done');
  await fake.call('fault', { kind: 'slow', ms: 300 });
  const began = Date.now();
  await post();
  ok(Date.now() - began >= 290, 'an answer can be slow');
  await fake.call('fault', { kind: 500, count: 2, skip: 1 });
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push((await g.ask('GET', at)).status);
  ok(seen.join() === '200,500,500,200', 'some, after some', seen);
  const storm = async (seed) => {
    await fake.call('chaos', { seed, rate: 0.5, kinds: [500, 404] });
    const got = [];
    for (let i = 0; i < 20; i++) got.push((await g.ask('GET', at)).status);
    await fake.call('clearFaults');
    return got.join();
  };
  const [one, same, other] = [await storm(7), await storm(7), await storm(8)];
  ok(one === same && one !== other && /500/.test(one) && /200/.test(one),
    'chaos is the same with the same seed', one, same, other);
}

async function testCounting(g) {
  const { fake } = g;
  const post = (body) => g.ask('POST', '/repos/o/r/issues/1/comments', { body });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(2010);
  await fake.call('reset');
  await post('a');
  await pause(2010);
  await post('b');
  let s = await fake.call('stats');
  ok(s.writes === 2 && s.close_writes === 0, 'writes with a pause are fine', s);
  await post('c');
  s = await fake.call('stats');
  ok(s.close_writes === 1, 'without one they are counted', s);
  fake.host.handle = ((handle) => async function slow(ctx) {
    await pause(1000);
    return handle.call(this, ctx);
  })(fake.host.handle);
  await Promise.all([post('d'), post('e')]);
  s = await fake.call('stats');
  ok(s.concurrent_writes === 1, 'and those at the same time', s);
  const [first] = await fake.call('requests', { write: true });
  ok(first.body.body === 'a' && first.token === 'installation' &&
    first.status === 201, 'requests are kept', first);
  delete fake.host.handle;
}

// ---- Git and webhooks ---------------------------------------------------------------

const run = (...words) => new Promise((resolve) => execFile(words[0],
  words.slice(1), { env: { ...process.env, GIT_TERMINAL_PROMPT: '0' } },
  (error, out, err) => resolve({ error, out, err })));

async function testGit(g) {
  const owner = await g.fake.call('addToken', { login: 'dev' });
  const url = (who) => `${g.fake.url.replace('://', `://${who}`)}/o/r.git`;
  ok((await run('git', 'ls-remote', url(''))).error,
    'a private repository is not cloned without a token');
  ok((await run('git', 'ls-remote', url('x:wrong@'))).error,
    'nor with a wrong one');
  const seen = await run('git', 'ls-remote', url(`x:${owner}@`));
  ok(!seen.error && /refs\/pull\/1\/head/.test(seen.out),
    'with one it is, and has the change', seen.err, seen.out);
}

const hmac = (key, body, form = 'hex') => crypto.createHmac('sha256', key)
  .update(body).digest(form);

// Whoever gets webhooks.
function startListener() {
  const got = [];
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (d) => chunks.push(d));
    req.on('end', () => {
      got.push({ path: req.url, headers: req.headers,
        body: Buffer.concat(chunks).toString() });
      res.writeHead(server.answer || 202).end();
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => {
    server.got = got;
    server.url = `http://127.0.0.1:${server.address().port}`;
    resolve(server);
  }));
}

async function testHooks(g, listener) {
  const { fake } = g;
  await fake.call('addHook', { url: `${listener.url}/webhooks/github`,
    secret: 's3' });
  const emit = async (args) => {
    const [d] = await fake.call('emit', { repo: 'o/r', number: 1, ...args });
    return { d, got: listener.got.at(-1), payload: d.request.payload };
  };
  const first = await emit({ what: 'opened' });
  ok(first.d.status_code === 202 && first.got.headers['x-hub-signature-256'] ===
    `sha256=${hmac('s3', first.got.body)}`, 'a delivery is signed', first.got);
  const { payload } = first;
  ok(payload.action === 'opened' && payload.pull_request.head.sha ===
    (await fake.call('change', { repo: 'o/r', number: 1 })).head_sha &&
    payload.installation.id === g.installation && payload.repository.full_name
    === 'o/r' && payload.pull_request.additions !== undefined,
  "it has the state, and the rest of GitHub's example", payload);
  const events = { updated: 'synchronize', closed: 'closed', reopened: 'reopened',
    ready: 'ready_for_review', rerun: 'rerequested', action: 'requested_action',
    comment: 'created', push: undefined };
  for (const [what, action] of Object.entries(events)) {
    const { got } = await emit({ what, body: '/run', branch: 'topic',
      identifier: 'approve' });
    const body = JSON.parse(got.body);
    ok(body.action === action && hmac('s3', got.body) ===
      got.headers['x-hub-signature-256'].slice(7), `of ${what}, too`, body);
  }
  await fake.call('emit', { what: 'opened', repo: 'o/r', number: 1, lost: true });
  const failed = (await g.asApp('GET',
    '/app/hook/deliveries?per_page=2&status=failure')).json;
  ok(failed.length === 1 && failed[0].status_code === 504,
    'one that was lost is in the list', failed);
  const tried = await g.asApp('POST',
    `/app/hook/deliveries/${failed[0].id}/attempts`);
  for (let i = 0; i < 3000 && !fake.hooks.deliveries.at(-1).status_code; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const again = fake.hooks.deliveries.at(-1);
  ok(tried.status === 202 && again.redelivery && again.guid === failed[0].guid &&
    again.status_code === 202 && listener.got.at(-1).headers['x-github-delivery']
    === failed[0].guid, 'and sent again with the same id', again.status);
  const page = await g.asApp('GET', '/app/hook/deliveries?per_page=4');
  const next = /<([^>]*)>; rel="next"/.exec(page.headers.get('link'))[1];
  const two = await g.asApp('GET', next.slice(fake.url.length));
  ok(page.json.length === 4 && two.json.length === 4 &&
    two.json[0].id < page.json[3].id, 'the list goes on by a cursor');
}

// ---- prism, and from a shell --------------------------------------------------------

async function testPrism() {
  const g = await startGithub({ validate: true });
  ok((await g.ask('GET', '/repos/o/r/pulls/1/files?per_page=100')).status === 200
    && g.fake.violations.length === 0 && g.fake.prism.checked >= 2,
  'prism takes what is right', g.fake.violations);
  const held = async (what, method, at, body) => {
    const before = g.fake.violations.length;
    await g.ask(method, at, body);
    ok(g.fake.violations.length > before, `prism holds against us: ${what}`,
      g.fake.violations);
  };
  await held('a number for a text', 'POST', '/repos/o/r/issues/1/comments',
    { body: 7 });
  await held('a state', 'POST', `/repos/o/r/statuses/${g.head}`,
    { state: 'done' });
  await held('a conclusion', 'POST', '/repos/o/r/check-runs',
    { name: 'x', head_sha: g.head, conclusion: 'bad' });
  await held('an event', 'POST', '/repos/o/r/pulls/1/reviews',
    { event: 'APPROVED' });
  await held('a field of GraphQL', 'POST', '/graphql',
    { query: '{ viewer { nothing } }' });
  const before = g.fake.violations.length;
  await threads(g);
  ok(g.fake.violations.length === before, 'but not what the schema has',
    g.fake.violations.slice(before));
  await g.fake.stop();
}

async function testShell() {
  const dir = fs.mkdtempSync(path.join(tmp, 'shell-'));
  const script = path.resolve(__dirname, '../lib/forge_host.js');
  const child = spawn(process.execPath, [script, 'start', 'gitea', dir]);
  while (!fs.existsSync(path.join(dir, 'url')))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const call = (...words) => execFileSync(process.execPath,
    [script, 'call', dir, ...words]).toString();
  call('addRepo', '{"name": "o/r"}');
  ok(JSON.parse(call('repo', '{"repo": "o/r"}')).name === 'o/r' &&
    /^\w+\n$/.test(call('addToken', '{"login": "u"}')), 'a shell can use one');
  child.kill();
  await new Promise((resolve) => child.on('exit', resolve));
}

async function main() {
  const listener = await startListener();
  const g = await startGithub({ examples: true });
  for (const test of [testTokens, testChecks, testStatuses, testReviews,
    testGraphql, testPush, testFaults, testCounting, testGit])
    await test(g);
  await testHooks(g, listener);
  ok(g.fake.broken.length === 0, 'the fake itself did not fail', g.fake.broken);
  await g.fake.stop();
  const more = { tmp, forge, asking, world, text, ok, hmac, listener };
  await gitlabTests.run(more);
  await giteaTests.run(more);
  await testShell();
  await testPrism();
  listener.close();
}

main().then(end, (error) => {
  ok(false, 'no exception', error);
  end();
});
