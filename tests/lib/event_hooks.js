// tests/lib/event_hooks.js - what GitHub sends, and what becomes of it.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const http = require('http');
const { APP, SECRET, redis, until, world } = require('./event_rig');

// ---- what the host sends ----------------------------------------------------

let serial = 0;
const next = () => serial++;
const repoOf = (repo) => ({ id: 1, full_name: repo,
  clone_url: `${world.base}/${repo}.git`, default_branch: 'main',
  private: world.private.has(repo) });
const user = (login, type = 'User') => ({ id: 7, login, type });

function pull(number, sha, more = {}) {
  const p = { number, title: 'A title $(id)',
    body: 'Why.\r\nHow.', state: 'open', draft: false,
    merged: false, labels: [], user: user('ann'), author_association: 'NONE',
    head: { sha, ref: `topic-${number}`, repo: { id: more.fork ? 9 : 1,
      full_name: more.fork ? 'eve/app' : APP } },
    base: { sha: '1'.repeat(40), ref: 'main', repo: repoOf(more.repo || APP) },
    ...more.pull };
  world.pulls.set(`${more.repo || APP}#${number}`, p);
  return p;
}

function event(name, body) {
  const text = JSON.stringify({ serial: serial++, repository: repoOf(APP),
    sender: user('ann'), ...body });
  return { name, text, key: crypto.createHash('sha256').update('github\0')
    .update(text).digest('hex') };
}

const pullEvent = (action, p) => event('pull_request', { action,
  number: p.number, pull_request: p, repository: p.base.repo });
const comment = (number, text, who) => event('issue_comment', {
  action: 'created', issue: { number, state: 'open', title: 't', labels: [],
    user: user('ann'), pull_request: {} },
  comment: { id: serial, body: text, user: who, author_association: 'OWNER' },
  sender: who });

function send(s, e) {
  const headers = e.headers || { 'X-GitHub-Event': e.name, 'X-GitHub-Delivery': 'd',
    'X-Hub-Signature-256': 'sha256=' +
      crypto.createHmac('sha256', SECRET).update(e.text).digest('hex') };
  return new Promise((done, fail) => {
    const request = http.request({ port: s.port, host: '127.0.0.1',
      method: 'POST', path: e.path || '/webhooks/github', headers,
      agent: false },
    (response) => {
      let text = '';
      response.on('data', (d) => { text += d; });
      response.on('end', () => done({ status: response.statusCode, text }));
    });
    request.on('error', fail);
    request.end(e.text);
  });
}

// ---- what became of it ------------------------------------------------------

const keyOf = (s, rest) => `berth:{${s.pool}}:${rest}`;
const field = (s, e, name) => redis('HGET', keyOf(s, `delivery:${e.key}`), name);

function job(s, id) {
  const get = (name) => redis('HGET', keyOf(s, `job:${id}`), name);
  const payload = get('payload');
  return { id, state: get('state'), pipeline: get('pipeline'),
    group: get('group'), payload, parsed: JSON.parse(payload || '{}'),
    report: JSON.parse(get('report') || '{}') };
}

async function settled(s, e) {
  await until(`${e.name} to be settled`, () =>
    !['waiting', ''].includes(field(s, e, 'state')));
  const jobs = field(s, e, 'jobs').split(' ').filter(Boolean);
  return { state: field(s, e, 'state'), reason: field(s, e, 'reason'),
    jobs: jobs.map((id) => job(s, id)) };
}

async function deal(s, e) {
  const r = await send(s, e);
  if (r.status !== 202) throw new Error(`${r.status} ${r.text}`);
  return settled(s, e);
}

const count = (s) => redis('--raw', 'KEYS', keyOf(s, 'job:*'))
  .split('\n').filter(Boolean).length;

module.exports = { comment, count, deal, event, field, job, keyOf, next, pull,
  pullEvent, repoOf, send, settled, user };
