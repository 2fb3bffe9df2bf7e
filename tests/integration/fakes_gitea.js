// tests/integration/fakes_gitea.js - of fakes.test.js: Gitea's rules.
// SPDX-License-Identifier: Apache-2.0
'use strict';

async function testReviews({ ask, head, ok, fake }) {
  const at = '/repos/o/r/pulls/1/reviews';
  const put = (comments, more = {}) => ask('POST', at, { commit_id: head,
    event: 'COMMENT', body: 'x', comments, ...more });
  for (const [what, more] of Object.entries({
    'an event of GitHub': { event: 'APPROVE' }, 'nothing in it': { body: '' } }))
    ok((await put([], more)).status === 422, `a review with ${what} is refused`);
  const good = await put([{ path: 'a.txt', body: 'b', new_position: 10 },
    { path: 'a.txt', body: 'b', old_position: 20 }]);
  ok(good.status === 200 && good.json.comments_count === 2 &&
    fake.violations.length === 0, 'a review is made', good.raw);
  const list = (await ask('GET', `${at}/${good.json.id}/comments`)).json;
  ok(list[0].position === 10 && list[1].original_position === 20,
    'its comments are listed', list);
  const far = await put([{ path: 'a.txt', body: 'b', new_position: 30 }]);
  ok(far.status === 200 && fake.violations.length === 1,
    'a line outside the diff is taken, and held against us', fake.violations);
  const pending = await put([], { event: undefined });
  ok(pending.json.state === 'PENDING' && fake.violations.length === 2,
    'so is a review without event');
  const edited = await ask('PATCH', `/repos/o/r/issues/comments/${list[0].id}`,
    { body: 'changed' });
  ok(edited.json.body === 'changed', 'a comment on a line is changed');
}

async function testRest({ ask, head, ok }) {
  const at = `/repos/o/r/statuses/${head}`;
  ok((await ask('POST', at, { state: 'running' })).status === 422,
    'an unknown state is refused');
  await ask('POST', at, { state: 'pending', context: 'ci' });
  await ask('POST', at, { state: 'success', context: 'ci' });
  const all = (await ask('GET', `/repos/o/r/commits/${head}/status`)).json;
  ok(all.state === 'success' && all.total_count === 1 &&
    all.statuses[0].status === 'success', 'the latest status counts', all);
  ok((await ask('GET', '/repos/o/r/collaborators/dev/permission')).status === 403,
    "others' permissions are for admins");
  const diff = await ask('GET', '/repos/o/r/pulls/1.diff');
  ok(/^\+ten$/m.test(diff.raw), 'the diff is had', diff.raw);
  ok((await ask('GET', '/repos/o/r/pulls/1/files?limit=2')).json.length === 2,
    'lists have pages');
}

async function testHooks({ fake, ok, listener, hmac }) {
  await fake.call('addHook', { url: listener.url, secret: 's3' });
  for (const [what, action] of Object.entries({ opened: 'opened',
    updated: 'synchronized', closed: 'closed', comment: 'created',
    push: undefined })) {
    await fake.call('emit', { what, repo: 'o/r', number: 1, body: '/run',
      branch: 'topic' });
    const got = listener.got.at(-1);
    ok(got.headers['x-gitea-signature'] === hmac('s3', got.body) &&
      JSON.parse(got.body).action === action, `Gitea tells of ${what}`, got.body);
  }
}

async function run(more) {
  const { forge, tmp, ok, asking, world } = more;
  const fake = await forge.start({ kind: 'gitea', tmp });
  const w = await world(fake);
  const token = await fake.call('addToken', { login: 'berth' });
  const ask = asking(fake, null, { authorization: `token ${token}` });
  ok((await asking(fake, null)('GET', '/repos/o/r')).status === 404 &&
    (await asking(fake, 'wrong')('GET', '/user')).status === 401,
  'Gitea: a token is needed');
  const t = { ...more, ...w, fake, ask };
  await testReviews(t);
  await testRest(t);
  await testHooks(t);
  ok(fake.broken.length === 0, 'Gitea did not fail', fake.broken);
  await fake.stop();
}

module.exports = { run };
