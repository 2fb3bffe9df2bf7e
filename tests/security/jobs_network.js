// tests/security/jobs_network.js - out through the gateway, by other doors.
// SPDX-License-Identifier: Apache-2.0
//
// The hosts are those of tests/integration/gateway_world.js: names that its own
// name server gives, at addresses of our loopback.
'use strict';
const { METADATA, PRIVATE, PUBLIC } = require('../integration/gateway_world');
const { job, must } = require('./jobs');

const why = 'the gateway outside decides, not the configuration';
const HOSTS = ['ok.example.net', 'meta.example.net', 'private.example.net',
    'loop.example.net', 'zero.example.net', 'mapped.example.net',
    'nat64.example.net', 'both.example.net', 'rebind.example.net'];

// Send raw requests to the gateway, in turn; prints what came back.
const SENDER = `
const net = require('net');
const ask = (text) => new Promise((done) => {
    const s = net.connect(808, '127.0.0.1', () => s.write(text, 'latin1'));
    let got = '';
    s.setTimeout(8000, () => s.destroy());
    s.on('data', (d) => { got += d.toString('latin1'); });
    s.on('error', () => {});
    s.on('close', () => done(got));
});
(async () => {
    for (const text of JSON.parse(process.env.REQUESTS))
        console.log('answer', JSON.stringify((await ask(text)).slice(0, 200)));
})();`;

// The answers, and what the origins heard meanwhile.
async function send(scene, requests, hosts = HOSTS) {
    const { facts } = scene;
    const secret = () => [`${METADATA}:80`, `${METADATA}:443`, `${PRIVATE}:80`,
        '127.0.0.1:80'].map((at) => facts.heard[at].connections)
        .reduce((a, b) => a + b);
    const before = secret(), from = facts.requests.length;
    const { log } = await job([
        { name: 'puts', write_file: { path: 'send.js', content: SENDER } },
        { name: 'sends', run: 'node send.js', timeout: '60s' }],
    { sandbox: { network: hosts }, vars: { REQUESTS: JSON.stringify(requests) } });
    const answers = [...log.matchAll(/answer (".*")/g)].map((line) =>
        JSON.parse(line[1]));

    must(answers.length >= requests.length, log.slice(-600));
    must(secret() === before, 'a host that is not to be reached was');
    return { answers: answers.slice(0, requests.length), log,
        heard: facts.requests.slice(from) };
}

const get = (host, url = '/', more = '') =>
    `GET http://${host}${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
const connect = (target, more = '') =>
    `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n${more}`;
const isRefused = (answer) => /^HTTP\/1\.1 [45]\d\d /.test(answer) ||
    answer === '';

async function refuseAll(scene, requests, what) {
    const { answers } = await send(scene, requests);

    answers.forEach((answer, i) => must(isRefused(answer),
        `${JSON.stringify(requests[i])}: ${answer}`));
    return `${what}: ${[...new Set(answers.map((text) =>
        text.slice(9, 12) || 'closed'))].join(', ')}`;
}

const hosts = (scene) => refuseAll(scene, [get('other.example.net'),
    connect('other.example.net:443'), get('ok.example.net.evil.example.net'),
    get('ok.example.net@other.example.net'), get('OK.example.net.:81')],
'not listed');

const names = (scene) => refuseAll(scene, [get('meta.example.net'),
    get('private.example.net'), get('loop.example.net'), get('zero.example.net'),
    get('mapped.example.net'), get('nat64.example.net'),
    connect('meta.example.net:443'), connect('loop.example.net:443')],
'special addresses');

const literals = (scene) => refuseAll(scene, [METADATA, '2852039166',
    '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518', '[::ffff:a9fe:a9fe]',
    '[fd00:ec2::254]', '127.1', 'localhost', PUBLIC].flatMap((host) =>
    [get(host), connect(`${host}:80`)]), 'no name');

const ports = (scene) => refuseAll(scene, [22, 25, 6379, 8443, 0, 65536, -1,
    '80;443', ' 443', '+443', '0x1bb'].map((port) =>
    connect(`ok.example.net:${port}`)), 'not that port');

async function rebind(scene) {
    const { answers } = await send(scene, Array(6).fill(
        get('rebind.example.net')));

    must(answers.slice(1).every(isRefused), answers);
    return 'each connection\'s address is checked';
}

async function redirect(scene) {
    const { facts } = scene;
    const before = facts.heard[`${METADATA}:80`].connections;
    const { log } = await job([{ name: 'follows', 'continue-on-error': true,
        run: 'curl -sSL --max-time 20 http://ok.example.net/moved' }],
    { sandbox: { network: HOSTS } });

    must(facts.heard[`${METADATA}:80`].connections === before, log);
    must(/meta\.example\.net/.test(log), log);
    return 'the next request is checked as all are';
}

// A second request that only one of two would see.
async function smuggle(scene) {
    const inner = get('ok.example.net', '/smuggled');
    const post = (headers, body) => 'POST http://ok.example.net/a HTTP/1.1\r\n' +
        `Host: ok.example.net\r\n${headers}\r\n${body}`;
    const requests = [
        post(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`,
            `0\r\n\r\n${inner}`),
        post('Content-Length: 0\r\nContent-Length: 5\r\n', inner),
        post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${inner}`),
        post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${inner}`),
        post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${inner}`),
        post('Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${inner}`),
        post('X: y\r\n Transfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`),
        post('Content-Length: +0\r\n', inner),
        post('Content-Length: 0x0\r\n', inner),
        post('X: a\rContent-Length: 0\r\n', inner),
        post('X: a\nContent-Length: 0\r\n', inner),
        post('Content-Length: 0\r\n', inner),
        post('Transfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`),
        post('Transfer-Encoding: chunked\r\n', `0;a\n\n${inner}\r\n\r\n`),
        get('ok.example.net', '/a', 'Host: meta.example.net\r\n') + inner,
    ];
    const { heard } = await send(scene, requests);

    must(!heard.some(({ url }) => url.includes('smuggled')), heard);
    // Other attacks are heard meanwhile.
    must(heard.every(({ url, headers }) => !url.startsWith('/a') ||
        headers.host === 'ok.example.net'), heard);
    return `${requests.length} forms, none of it heard`;
}

async function otherHost(scene) {
    const { heard } = await send(scene, [
        'GET http://ok.example.net/h HTTP/1.1\r\nHost: meta.example.net\r\n\r\n',
        'GET /h HTTP/1.1\r\nHost: ok.example.net\r\n\r\n',
        'GET http://ok.example.net/h\\@meta.example.net HTTP/1.1\r\n' +
            'Host: ok.example.net\r\n\r\n']);

    must(heard.every(({ url, headers }) => !url.startsWith('/h') ||
        headers.host === 'ok.example.net'), heard);
    return 'the address\' host, or nothing';
}

// Not a byte of it may arrive.
async function noTls(scene) {
    const { facts } = scene;
    const before = facts.secureRequests.length;
    const { answers } = await send(scene, [
        connect('ok.example.net:443', get('meta.example.net')),
        connect('ok.example.net:443', 'SSH-2.0-x\r\n'),
        connect('ok.example.net:443', '\x16\x03\x01\x00\x02\x01\x00')]);

    must(facts.secureRequests.length === before, 'it was heard');
    return `closed after ${answers.length} tries`;
}

async function serverName() {
    const tls = (name) => `require('tls').connect({ socket: s, servername: ` +
        `'${name}', rejectUnauthorized: false }).on('secureConnect', () => ` +
        `{ console.log('secure ${name}'); process.exit(); })` +
        `.on('error', (e) => { console.log('refused ${name}'); process.exit(); })`;
    const client = (name) => `node -e "const s = require('net').connect(808, ` +
        `'127.0.0.1', () => s.write('CONNECT ok.example.net:443 HTTP/1.1\\r\\n` +
        `Host: ok.example.net:443\\r\\n\\r\\n')); s.once('data', () => ` +
        `{ ${tls(name)} })"`;
    const { log } = await job([{ name: 'tries', timeout: '60s',
        run: [client('other.example.net'), client('ok.example.net')] }],
    { sandbox: { network: HOSTS } });

    must(/refused other/.test(log) && /secure ok/.test(log), log.slice(-800));
    return 'the name in TLS has to be that of CONNECT';
}

async function flood() {
    const { log, steps } = await job([{ name: 'floods', timeout: '60s', run:
        'node -e "let n = 0; for (let i = 0; i < 1500; i++) ' +
        'require(\'net\').connect(808, \'127.0.0.1\', () => { n++; })' +
        '.on(\'error\', () => {}); setTimeout(() => ' +
        '{ console.log(\'flooded\', n); process.exit(); }, 1500)"' },
    { name: 'after', run: 'curl -sS --max-time 20 --retry 5 ' +
        '--retry-all-errors http://ok.example.net/after' }],
    { sandbox: { network: HOSTS } });

    must(/flooded [1-9]\d\d/.test(log), log.slice(-500));
    must(steps.after.outcome === 'passed' && /hello \/after/.test(log),
        log.slice(-500));
    return 'it serves a few at a time, and goes on';
}

async function listener() {
    const { log } = await job([{ name: 'takes', run: 'set +e; ' +
        'pkill -9 gateway; kill -9 1; ' +
        'python3 -c "import socket; s = socket.socket(); ' +
        's.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); ' +
        's.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); ' +
        's.bind((\'0.0.0.0\', 808))" 2>&1 | tail -n 1; true' },
    { name: 'after', run: 'curl -sS --max-time 20 http://ok.example.net/l' }],
    { sandbox: { network: HOSTS } });

    must(/hello \/l/.test(log) && /PermissionError/.test(log), log.slice(-500));
    return 'EACCES';
}

module.exports = { attacks: [
    { name: 'gateway-other-host', why, attack: hosts },
    { name: 'gateway-special-names', why, attack: names },
    { name: 'gateway-addresses', why, attack: literals },
    { name: 'gateway-ports', why, attack: ports },
    { name: 'gateway-rebinding', why, attack: rebind },
    { name: 'gateway-redirect', why, attack: redirect },
    { name: 'gateway-smuggling', why, attack: smuggle },
    { name: 'gateway-host-field', why, attack: otherHost },
    { name: 'gateway-no-tls', why, attack: noTls },
    { name: 'gateway-server-name', why, attack: serverName },
    { name: 'gateway-flood', why, attack: flood },
    { name: 'gateway-listener', why, attack: listener },
] };
