// tests/integration/fakes_gitlab.js - of fakes.test.js: GitLab's rules.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');

async function testStatuses({ ask, head, ok }) {
  const at = `/projects/o%2Fr/statuses/${head}`;
  const put = (body) => ask('POST', at, { ref: 'topic', name: 'ci', ...body });
  for (const [what, body] of Object.entries({ 'no state': {},
    'a state of GitHub': { state: 'failure' },
    '256 characters': { state: 'pending', description: 'x'.repeat(256) },
    'no address': { state: 'pending', target_url: 'about:blank' } }))
    ok((await put(body)).status === 400, `a status with ${what} is refused`);
  ok((await put({ state: 'running' })).status === 201, 'a status is made');
  const same = await put({ state: 'running' });
  ok(same.status === 400 && /Cannot transition status via :run from :running/
    .test(same.raw), 'the same state is refused in these words', same.raw);
  const back = await put({ state: 'pending' });
  ok(back.status === 400 && /:enqueue from :running/.test(back.raw),
    'there is no way back', back.raw);
  const two = await Promise.all([put({ state: 'success' }),
    put({ state: 'success' })]);
  ok(two.map((r) => r.status).sort().join() === '201,409',
    'two at a time are a conflict', two.map((r) => r.raw));
  const list = (await ask('GET', `/projects/o%2Fr/repository/commits/${head}` +
    '/statuses')).json;
  ok(list.length === 1 && list[0].status === 'success', 'the latest is listed',
    list);
}

async function testPositions(t) {
  const { ask, ok, base, head, fake } = t;
  const mr = (await ask('GET', '/projects/o%2Fr/merge_requests/1')).json;
  ok(mr.diff_refs.head_sha === head && mr.diff_refs.base_sha === base,
    'a merge request has diff_refs');
  const put = (more) => ask('POST', '/projects/o%2Fr/merge_requests/1/discussions',
    { body: 'b', position: { ...mr.diff_refs, position_type: 'text',
      new_path: 'a.txt', old_path: 'a.txt', ...more } });
  const bad = { 'an added line with both': { new_line: 10, old_line: 10 },
    'a removed line as new': { new_line: 30 },
    'an unchanged line with one': { new_line: 9 },
    'the wrong other number': { new_line: 21, old_line: 21 },
    'another file': { new_path: 'far.txt', old_path: 'far.txt', new_line: 1 },
    'another commit': { new_line: 10, head_sha: base },
    'no type': { new_line: 10, position_type: undefined },
    'no line': {} };
  for (const [what, more] of Object.entries(bad)) {
    const r = await put(more);
    ok(r.status === 400, `a position with ${what} is refused`, r.raw);
  }
  const made = await put({ new_line: 10 });
  ok(made.status === 201 && made.json.notes[0].position.new_line === 10,
    'an added line has its new number', made.raw);
  ok((await put({ old_line: 20 })).status === 201, 'a removed one its old one');
  ok((await put({ new_line: 9, old_line: 9 })).status === 201,
    'an unchanged one both');
  const code = (o, n) => `${crypto.createHash('sha1').update('a.txt')
    .digest('hex')}_${o}_${n}`;
  const range = (start) => ({ new_line: 10, line_range: {
    start: { line_code: start, old_line: 8, new_line: 8 },
    end: { line_code: code(11, 10), type: 'new', new_line: 10 } } });
  const good = await put(range(code(8, 8)));
  ok(good.status === 201, 'several lines by their codes', good.raw);
  ok((await put(range(code(8, 9)))).status === 400, 'a wrong code is refused');
  ok(fake.violations.length === 0, 'nothing else is held against us',
    fake.violations);
  return made.json;
}

async function testThreads(t, first) {
  const { ask, ok, fake, text } = t;
  const at = '/projects/o%2Fr/merge_requests/1/discussions';
  const reader = t.asking(fake, await fake.call('addToken', { login: 'reader' }));
  ok((await reader('PUT', `${at}/${first.id}`, { resolved: true })).status === 403,
    'who reports cannot resolve');
  const done = await ask('PUT', `${at}/${first.id}`, { resolved: true });
  ok(done.json.notes[0].resolved === true, 'we can', done.raw);
  const note = `${at}/${first.id}/notes/${first.notes[0].id}`;
  ok((await reader('PUT', note, { body: 'x' })).status === 403 &&
    (await ask('PUT', note, { body: 'changed' })).json.body === 'changed',
  'notes are changed by their author alone');
  await fake.call('commit', { repo: 'o/r', branch: 'topic',
    files: { 'a.txt': text({ 10: 'TEN', 20: [], 50: 'fifty' }) } });
  const list = (await ask('GET', `${at}?per_page=2`)).headers;
  ok(list.get('x-next-page') === '2' && /rel="next"/.test(list.get('link')),
    'discussions come in pages');
  const all = (await ask('GET', `${at}?per_page=100`)).json;
  const { head_sha } = (await ask('GET', '/projects/o%2Fr/merge_requests/1'))
    .json.diff_refs;
  ok(all[0].notes[0].position.head_sha !== head_sha &&
    all[1].notes[0].position.head_sha === head_sha,
  'a line that changed stays with its commit', all.slice(0, 2));
}

async function testHooks({ fake, ok, listener, hmac }) {
  const key = crypto.randomBytes(24);
  await fake.call('addHook', { url: listener.url, secret: 'plain' });
  await fake.call('addHook', { url: listener.url,
    secret: `whsec_${key.toString('base64')}` });
  for (const what of ['opened', 'updated', 'closed', 'comment', 'push']) {
    listener.got.length = 0;
    await fake.call('emit', { what, repo: 'o/r', number: 1, body: '/run',
      branch: 'topic' });
    const plain = listener.got.find((g) => g.headers['x-gitlab-token']);
    const signed = listener.got.find((g) => g.headers['webhook-signature']);
    const id = signed.headers['webhook-id'];
    const at = signed.headers['webhook-timestamp'];
    ok(plain.headers['x-gitlab-token'] === 'plain' &&
      signed.headers['webhook-signature'] ===
      `v1,${hmac(key, `${id}.${at}.${signed.body}`, 'base64')}`,
    `GitLab tells of ${what}, by token and by signature`);
  }
}

async function run(more) {
  const { forge, tmp, ok, asking, world } = more;
  const fake = await forge.start({ kind: 'gitlab', tmp });
  const w = await world(fake);
  const token = await fake.call('addToken', { login: 'berth' });
  const ask = asking(fake, null, { 'private-token': token });
  ok((await asking(fake, null)('GET', '/user')).status === 401 &&
    (await asking(fake, 'wrong')('GET', '/projects/o%2Fr')).status === 401 &&
    (await asking(fake, null)('GET', '/projects/o%2Fr')).status === 404,
  'GitLab: a token is needed');
  const t = { ...more, ...w, fake, ask };
  await testStatuses(t);
  await testThreads(t, await testPositions(t));
  const user = (await ask('GET', '/users?username=reader')).json[0];
  ok((await ask('GET', `/projects/o%2Fr/members/all/${user.id}`)).json
    .access_level === 20, 'a member has a level');
  await fake.call('fault', { kind: 429 });
  const limit = await ask('GET', '/user');
  ok(limit.status === 429 && limit.json === null &&
    limit.headers.get('retry-after') === '1', '429 is plain text', limit.raw);
  await testHooks(t);
  ok(fake.broken.length === 0, 'GitLab did not fail', fake.broken);
  await fake.stop();
}

module.exports = { run };
