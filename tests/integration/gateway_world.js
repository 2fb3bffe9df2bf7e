// tests/integration/gateway_world.js - a small internet to reach, or not.
// SPDX-License-Identifier: Apache-2.0
//
// For tests/integration/gateway.test.js, inside network and mount namespaces of
// its own: addresses on the loopback device, a name server at 127.0.0.53, and
// origins that note what they get. Nothing here leaves the namespace.
'use strict';
const { execFileSync } = require('child_process');
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const tls = require('tls');

const PUBLIC = '93.184.216.34';
const OTHER = '93.184.216.35';
const SIX = '2606:4700::1111';
const METADATA = '169.254.169.254';
const PRIVATE = '10.9.8.7';

// name → addresses by type, or a function of how often it was asked
const zone = {
    'ok.example.net': { A: [PUBLIC] },
    'www.example.net': { A: [PUBLIC] },
    'other.example.net': { A: [PUBLIC] },
    'dead.example.net': { A: [OTHER] },
    'six.example.net': { AAAA: [SIX] },
    'meta.example.net': { A: [METADATA] },
    'private.example.net': { A: [PRIVATE] },
    'loop.example.net': { A: ['127.0.0.1'] },
    'zero.example.net': { A: ['0.0.0.0'] },
    'mapped.example.net': { AAAA: [`::ffff:${PRIVATE}`] },
    'nat64.example.net': { AAAA: ['64:ff9b::a9fe:a9fe'] },
    '6to4.example.net': { AAAA: ['2002:a09:807::1'] },
    'unique.example.net': { AAAA: ['fd00::1'] },
    'both.example.net': { A: [METADATA, PUBLIC] },
    'rebind.example.net': { A: [PUBLIC], then: { A: [METADATA] } },
    'mute.example.net': null,
};

const asked = {};

function bytesOf(address) {
    if (!address.includes(':'))
        return Buffer.from(address.split('.').map(Number));
    const out = Buffer.alloc(16);
    const [before, after = ''] = address.split('::');
    const groups = (text) => text.split(':').filter(Boolean).flatMap((g) =>
        g.includes('.') ? g.split('.').map(Number) :
            [parseInt(g, 16) >> 8, parseInt(g, 16) & 255]);
    Buffer.from(groups(before)).copy(out);
    const tail = Buffer.from(groups(after));
    tail.copy(out, 16 - tail.length);
    return out;
}

function answer(query) {
    const labels = [];
    let at = 12;
    for (; query[at]; at += query[at] + 1)
        labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    const name = labels.join('.').toLowerCase();
    const type = query.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A';
    let entry = zone[name];
    const key = `${name} ${type}`;
    asked[key] = (asked[key] || 0) + 1;
    if (entry === null)
        return null;
    if (entry && entry.then && asked[key] > 1)
        entry = entry.then;
    const found = (entry && entry[type]) || [];
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(entry ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(found.length, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, query.subarray(12, at + 5),
        ...found.map((address) => {
            const data = bytesOf(address);
            const record = Buffer.alloc(12);
            record.writeUInt16BE(0xc00c, 0);
            record.writeUInt16BE(type === 'A' ? 1 : 28, 2);
            record.writeUInt16BE(1, 4);
            record.writeUInt16BE(data.length, 10);
            return Buffer.concat([record, data]);
        })]);
}

function run(command, ...args) {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function makeCertificates(dir) {
    const key = path.join(dir, 'key.pem'), cert = path.join(dir, 'cert.pem');
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert,
        '-days', '2', '-subj', '/CN=test', '-addext',
        'subjectAltName=DNS:ok.example.net,DNS:git.example.net');
    return { key, cert };
}

// Everything that a plain TCP port gets, by "address:port".
const heard = {};

function noteServer(address, port, speak) {
    const key = `${address}:${port}`;
    heard[key] = { connections: 0, text: '' };
    const server = net.createServer((socket) => {
        heard[key].connections++;
        socket.on('error', () => {});
        socket.on('data', (data) => {
            heard[key].text += data.toString('latin1');
            if (speak)
                speak(socket, heard[key].text);
        });
    });
    return new Promise((done) => server.listen(port, address, done));
}

function serveHttp(server) {
    const requests = [];
    server.on('request', (req, res) => {
        const chunks = [];
        req.on('data', (chunk) => chunks.push(chunk));
        req.on('end', () => {
            requests.push({ method: req.method, url: req.url,
                headers: req.headers, raw: req.rawHeaders,
                body: Buffer.concat(chunks).toString() });
            if (req.url === '/moved') {
                res.writeHead(302, { Location: 'http://meta.example.net/key' });
                res.end();
            } else if (req.url.startsWith('/bytes/')) {
                res.end(Buffer.alloc(Number(req.url.slice(7)), 'x'));
            } else if (req.url === '/slow') {
                const timer = setInterval(() => res.write('more\n'), 20);
                res.on('close', () => clearInterval(timer));
            } else if (req.url !== '/never') {
                res.end(`hello ${req.url}`);
            }
        });
    });
    return requests;
}

async function make(dir) {
    run('ip', 'link', 'set', 'lo', 'up');
    for (const address of [PUBLIC, OTHER, METADATA, PRIVATE])
        run('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
    run('ip', '-6', 'addr', 'add', `${SIX}/128`, 'dev', 'lo', 'nodad');
    for (const [name, text] of [['resolv.conf', 'nameserver 127.0.0.53\n'],
        ['hosts', '127.0.0.1 localhost\n']]) {
        fs.writeFileSync(path.join(dir, name), text);
        run('mount', '--bind', path.join(dir, name), `/etc/${name}`);
    }
    const dns = dgram.createSocket('udp4');
    dns.on('message', (query, from) => {
        const reply = answer(query);
        if (reply)
            dns.send(reply, from.port, from.address);
    });
    await new Promise((done) => dns.bind(53, '127.0.0.53', done));

    const certificates = makeCertificates(dir);
    const plain = http.createServer();
    const requests = serveHttp(plain);
    await new Promise((done) => plain.listen(80, PUBLIC, done));
    const six = http.createServer();
    serveHttp(six);
    await new Promise((done) => six.listen(80, SIX, done));
    const secure = require('https').createServer({
        key: fs.readFileSync(certificates.key),
        cert: fs.readFileSync(certificates.cert) });
    const secureRequests = serveHttp(secure);
    await new Promise((done) => secure.listen(443, PUBLIC, done));
    await noteServer(METADATA, 80);
    await noteServer(METADATA, 443);
    await noteServer(PRIVATE, 80, (socket) => socket.end(
        'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n' +
        'private'));
    await noteServer('127.0.0.1', 80);
    await noteServer(PUBLIC, 8443);
    return { requests, secureRequests, certificates, heard, asked, tls };
}

module.exports = { make, PUBLIC, METADATA, PRIVATE, SIX };
