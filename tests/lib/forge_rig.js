// tests/lib/forge_rig.js - a `forge`, set up to ask a host of ours.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const { ok } = require('./tap');
const { Forge, Host } = require('./forge');

const BASE_URL = 'https://git.example.org';
const TOKEN = 'secret-token-0123456789';

const key = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' });

function same(got, wanted, name) {
  ok(JSON.stringify(got) === JSON.stringify(wanted), name, 'got:', got,
    'wanted:', wanted);
}

function setupOf(kind, host, more = {}) {
  return { forge: kind, api_url: host.url, base_url: BASE_URL, ca: '', app: '',
    app_key: '', token: TOKEN, gap_ms: 0, timeout_ms: 5000, ...more };
}

// A host with one handler, and a program that asks it; both ended after `run`.
async function withForge(kind, handler, run, more = {}) {
  const host = await new Host(handler).listen();
  const forge = new Forge(setupOf(kind, host, more));
  try {
    await run(forge, host);
    const code = await forge.end();
    if (code !== 0) ok(false, 'it ended well', code, forge.stderr);
  } finally {
    host.close();
  }
}

const asApp = { token: '', app: '4711', app_key: pem };

function jwtIsGood(header) {
  const [head, claims, signature] = header.replace('Bearer ', '').split('.');
  const { iat, exp, iss } = JSON.parse(Buffer.from(claims, 'base64url'));
  return crypto.verify('RSA-SHA256', Buffer.from(`${head}.${claims}`),
    key.publicKey, Buffer.from(signature, 'base64url')) &&
    iss === '4711' && exp - iat <= 600 && iat <= Date.now() / 1000;
}

module.exports = { BASE_URL, TOKEN, asApp, jwtIsGood, pem, same, setupOf,
  withForge };
