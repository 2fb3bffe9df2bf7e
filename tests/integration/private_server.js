// tests/integration/private_server.js - a host with a private repository.
// SPDX-License-Identifier: Apache-2.0
//
// node private_server.js ROOT PORT_FILE TOKENS_FILE LOG PUBLIC_KEY
// Serves the bare repositories below ROOT as git http-backend does, to
// x-access-token with a token that it made for that repository; and of GitHub's
// API below /api what makes tokens, for an App with that key. Each token is
// added to TOKENS_FILE. While there is PORT_FILE.hold, git waits. What a client does that GitHub would refuse, or that
// asks for more than it needs, is refused, and logged.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { spawn } = require('child_process');

const [root, portFile, tokensFile, log, key] = process.argv.slice(2);
const publicKey = fs.readFileSync(key);
const note = (text) => fs.appendFileSync(log, text + '\n');
const grants = new Map(); // token: "owner/name"
const hold = `${portFile}.hold`;
const LIFE_MS = 30 * 60 * 1000;

function say(res, status, body) {
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(JSON.stringify(body));
}

function isApp(req) {
    const [, head, claims, signature] = /^Bearer ([^.]+)\.([^.]+)\.([^.]+)$/
        .exec(req.headers.authorization || '') || [];
    if (!signature)
        return false;
    const said = JSON.parse(Buffer.from(claims, 'base64url'));
    return said.iss === '12345' && said.exp > Date.now() / 1000 &&
        crypto.verify('RSA-SHA256', `${head}.${claims}`, publicKey,
            Buffer.from(signature, 'base64url'));
}

function makeToken(res, body) {
    const asked = JSON.parse(body);
    const names = asked.repositories;
    const { metadata, ...permissions } = asked.permissions || {};
    if (!Array.isArray(names) || names.length !== 1 ||
        JSON.stringify(permissions) !== '{"contents":"read"}' ||
        (metadata && metadata !== 'read')) {
        note(`refused ${body}`);
        return say(res, 422, { message: 'more than it needs' });
    }
    const token = `ghs_${crypto.randomBytes(18).toString('hex')}`;
    grants.set(token, `acme/${names[0]}`);
    fs.appendFileSync(tokensFile, token + '\n');
    note(`token for ${names[0]}`);
    return say(res, 201, {
        token,
        expires_at: new Date(Date.now() + LIFE_MS).toISOString()
            .replace(/\.\d+Z/, 'Z'),
        permissions: asked.permissions,
        repository_selection: 'selected',
    });
}

function api(req, res, path, body) {
    if (!isApp(req)) {
        note(`refused ${req.method} ${path}`);
        return say(res, 401, { message: 'Bad credentials' });
    }
    if (req.method === 'GET' && /^\/repos\/acme\/\w+\/installation$/.test(path))
        return say(res, 200, { id: 7 });
    if (req.method === 'POST' && path === '/app/installations/7/access_tokens')
        return makeToken(res, body);
    note(`refused ${req.method} ${path}`);
    return say(res, 404, { message: 'Not Found' });
}

function backend(req, res, url, body) {
    const cgi = spawn('git', ['http-backend'], {
        env: {
            PATH: process.env.PATH,
            GIT_PROJECT_ROOT: root,
            GIT_HTTP_EXPORT_ALL: '1',
            GIT_CONFIG_COUNT: '1',
            GIT_CONFIG_KEY_0: 'safe.directory',
            GIT_CONFIG_VALUE_0: '*',
            REQUEST_METHOD: req.method,
            PATH_INFO: url.pathname,
            QUERY_STRING: url.search.slice(1),
            CONTENT_TYPE: req.headers['content-type'] || '',
            HTTP_CONTENT_ENCODING: req.headers['content-encoding'] || '',
            REMOTE_ADDR: '127.0.0.1',
        },
    });
    const chunks = [];

    cgi.stdout.on('data', (chunk) => chunks.push(chunk));
    cgi.on('close', () => {
        const all = Buffer.concat(chunks);
        const end = all.indexOf('\r\n\r\n');
        for (const line of all.subarray(0, end).toString().split('\r\n')) {
            const [name, value] = line.split(/: (.*)/);
            if (name === 'Status')
                res.statusCode = parseInt(value, 10);
            else
                res.setHeader(name, value);
        }
        res.end(all.subarray(end + 4));
    });
    cgi.stdin.on('error', () => {});
    cgi.stdin.end(body);
}

function git(req, res, url, body) {
    const [, owner, name] = url.pathname.split('/');
    const given = Buffer.from((req.headers.authorization || '')
        .replace(/^Basic /, ''), 'base64').toString();
    const [user, token] = given.split(/:(.*)/);
    const repo = `${owner}/${(name || '').replace(/\.git$/, '')}`;

    if (user !== 'x-access-token' || grants.get(token) !== repo) {
        note(`401 ${url.pathname}`);
        res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' });
        return res.end();
    }
    note(`200 ${url.pathname}`);
    const timer = setInterval(() => {
        if (fs.existsSync(hold))
            return;
        clearInterval(timer);
        backend(req, res, url, body);
    }, 20);
    return undefined;
}

const server = http.createServer((req, res) => {
    const url = new URL(req.url, 'http://localhost');
    const chunks = [];

    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
        const body = Buffer.concat(chunks);
        if (url.pathname.startsWith('/api/'))
            api(req, res, url.pathname.slice(4), body.toString());
        else
            git(req, res, url, body);
    });
}).listen(0, '127.0.0.1', () =>
    fs.writeFileSync(portFile, `${server.address().port}\n`));
