'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { createApp } = require('../lib/app');

let server;
let base;

before(async () => {
  server = createApp().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function call(method, path, body) {
  return fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
}

test('a note over HTTP', async () => {
  const created = await call('POST', '/notes', { text: 'hello' });
  const note = await created.json();

  assert.equal(created.status, 201);
  assert.equal(note.version, '1.0.0');
  const changed = await call('PUT', `/notes/${note.id}?kind=minor`, {
    text: 'hello again',
  });
  assert.equal((await changed.json()).version, '1.1.0');
  const list = await (await call('GET', '/notes')).json();
  assert.deepEqual(list.map((n) => n.text), ['hello again']);
  assert.equal((await call('DELETE', `/notes/${note.id}`)).status, 204);
  assert.equal((await call('GET', `/notes/${note.id}`)).status, 404);
});

test('what is wrong is said', async () => {
  const empty = await call('POST', '/notes', { text: '' });

  assert.equal(empty.status, 422);
  assert.deepEqual(await empty.json(), { error: 'a note needs a text' });
  const broken = await fetch(`${base}/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{',
  });
  assert.equal(broken.status, 400);
});
