// tests/fakes/forge/hooks.js - webhooks: built, signed, sent, and sent again.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const http = require('http');
const { payloads } = require('./payloads');

const TIMEOUT_MS = 10000;

const hmac = (key, body) =>
  crypto.createHmac('sha256', key).update(body).digest('hex');

// Headers of a delivery, per host.
const SIGN = {
  github: (d, body, secret) => ({ 'User-Agent': 'GitHub-Hookshot/fake',
    'X-GitHub-Event': d.event, 'X-GitHub-Delivery': d.guid,
    'X-GitHub-Hook-ID': '1', 'X-GitHub-Hook-Installation-Target-Type':
      'integration', 'X-Hub-Signature-256': `sha256=${hmac(secret, body)}` }),
  // A secret whsec_… is a key: the delivery is signed and has no token.
  gitlab: (d, body, secret) => {
    const common = { 'User-Agent': 'GitLab/17.5.0', 'X-Gitlab-Event': d.event,
      'X-Gitlab-Event-UUID': d.guid, 'Idempotency-Key': d.guid,
      'X-Gitlab-Webhook-UUID': d.guid };
    if (!secret.startsWith('whsec_')) return { ...common, 'X-Gitlab-Token': secret };
    const at = String(Math.floor(Date.now() / 1000));
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const signature = crypto.createHmac('sha256', key)
      .update(`${d.guid}.${at}.${body}`).digest('base64');
    return { ...common, 'webhook-id': d.guid, 'webhook-timestamp': at,
      'webhook-signature': `v1,${signature}` };
  },
  gitea: (d, body, secret) => {
    const signature = hmac(secret, body);
    return { 'User-Agent': 'Go-http-client/1.1',
      'X-GitHub-Delivery': d.guid, 'X-GitHub-Event': d.event,
      'X-Gitea-Delivery': d.guid, 'X-Gitea-Event': d.event,
      'X-Gitea-Signature': signature, 'X-Gogs-Delivery': d.guid,
      'X-Gogs-Event': d.event, 'X-Gogs-Signature': signature,
      'X-Hub-Signature-256': `sha256=${signature}` };
  },
};

function post(url, headers, body) {
  return new Promise((resolve) => {
    const request = http.request(url, { method: 'POST', timeout: TIMEOUT_MS,
      headers: { ...headers, 'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body) } }, (res) => {
      let text = '';
      res.on('data', (chunk) => { text += chunk; });
      res.on('end', () => resolve({ status_code: res.statusCode,
        status: res.statusCode < 400 ? 'OK' : `Invalid HTTP Response: ${
          res.statusCode}`, response: { headers: res.headers, payload: text } }));
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', (error) => resolve({ status_code: 502,
      status: error.message === 'timed out' ? 'timed out'
        : 'failed to connect to host', response: { headers: {}, payload: '' } }));
    request.end(body);
  });
}

class Hooks {
  constructor(fake) {
    this.fake = fake;
    this.list = [];
    this.deliveries = [];
  }

  // {url, secret, events: those that are sent, by the host's name, or null}
  add({ url, secret, events = null }) {
    this.list.push({ url, secret, events });
  }

  // {what: opened | updated | reopened | ready | closed | labeled | push |
  // comment | rerun | action, repo, number, sender, …: payloads.js;
  // lost: it does not arrive}: the deliveries
  async emit(args) {
    const { fake } = this;
    const a = { ...args };
    if (a.what === 'comment' && !a.comment)
      a.comment = fake.host.personComments(fake.store.change(a.repo, a.number),
        a.body, a.sender || 'dev');
    if (a.what === 'closed' && a.number)
      fake.store.change(a.repo, a.number).state = a.merged ? 'merged' : 'closed';
    if (a.what === 'reopened')
      fake.store.change(a.repo, a.number).state = 'open';
    const made = payloads[fake.kind](fake, a);
    const guid = a.guid || crypto.randomUUID();
    const hooks = this.list.filter((h) => !h.events ||
      h.events.includes(made.event));
    return Promise.all(hooks.map((hook) => this.send(hook, { guid, ...made },
      { lost: a.lost })));
  }

  async send(hook, { guid, event, action = null, payload, repo = null,
    installation = null }, { lost = false, redelivery = false } = {}) {
    const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const d = { id: this.fake.store.id(), guid, event, action, at: Date.now(),
      redelivery, duration: 0, repository_id: repo, installation_id: installation,
      url: hook.url, hook, request: { payload: JSON.parse(body) } };
    Object.defineProperty(d, 'body', { value: body });
    const headers = SIGN[this.fake.kind](d, body, hook.secret);
    d.request.headers = headers;
    this.deliveries.push(d);
    const result = lost ? { status_code: 504, status: 'timed out',
      response: { headers: {}, payload: '' } } : await post(hook.url, headers, body);
    d.duration = (Date.now() - d.at) / 1000;
    return Object.assign(d, result);
  }

  // The same again: with the same guid, as another delivery.
  redeliver(id) {
    const old = this.deliveries.find((d) => d.id === +id);
    if (!old) throw new Error(`no delivery ${id}`);
    return this.send(old.hook, { guid: old.guid, event: old.event,
      action: old.action, payload: old.body, repo: old.repository_id,
      installation: old.installation_id }, { redelivery: true });
  }
}

module.exports = { Hooks, SIGN };
