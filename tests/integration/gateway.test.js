#!/usr/bin/env node
// tests/integration/gateway.test.js - what gets out of a sandbox, and what not.
// SPDX-License-Identifier: Apache-2.0
// timeout 300
//
// The real gateway, driven by the client of run-job (client_test drive), in a
// network namespace with a small internet in it (gateway_world.js). The rest of
// what a sandbox sends is raw bytes from here.
'use strict';
const { execFileSync, spawn, spawnSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const tls = require('tls');
const { ok, end } = require('../lib/tap');

const SECRET = 'Bearer s3cr3t-value';

if (!process.env.GATEWAY_TEST_INSIDE) {
    if (process.getuid() !== 0) {
        console.log('1..0 # SKIP it makes network namespaces, as root only');
        process.exit(0);
    }
    const inside = spawnSync('unshare', ['-mn', '--', process.execPath,
        __filename, ...process.argv.slice(2)], { stdio: 'inherit',
        env: { ...process.env, GATEWAY_TEST_INSIDE: '1' } });
    process.exit(inside.status === null ? 1 : inside.status);
}

const world = require('./gateway_world');
const { Gateway, UID, withGateway, use, open, ask, get, connect, shake, assert,
    pause, until } = require('./gateway_rig');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'g'));
let facts;

// ---- tests ------------------------------------------------------------------

const tests = {};

tests['plain HTTP: the origin gets the request, without what is the proxy\'s'] =
    () => withGateway({}, async (g) => {
        const text = await ask(g, get('ok.example.net', '/a?b',
            'Proxy-Authorization: x\r\nProxy-Connection: keep-alive\r\n' +
            'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n'));
        const got = facts.requests.pop();
        assert(text.endsWith('hello /a?b'), text);
        assert(got.url === '/a?b' && got.headers.host === 'ok.example.net' &&
            got.headers.connection === 'close' && got.headers['x-end'] === '2',
        got);
        assert(!('x-hop' in got.headers) &&
            !Object.keys(got.headers).some((h) => h.startsWith('proxy')), got);
        const event = await g.event('ok.example.net');
        assert(event.verdict === 'allowed' && event.port === 80 &&
            event.address === world.PUBLIC && event.up > 50 &&
            event.down === text.length && event.message === '', event);
    });

tests['bodies go through as they are, and nothing behind them'] =
    () => withGateway({}, async (g) => {
        for (const [fields, body] of [['Content-Length: 5\r\n', 'abcde'],
            ['Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'],
        ]) {
            const before = facts.requests.length;
            const text = await ask(g, 'POST http://ok.example.net/p HTTP/1.1\r\n' +
                `Host: ok.example.net\r\n${fields}\r\n${body}` +
                'GET /smuggled HTTP/1.1\r\nHost: ok.example.net\r\n\r\n');
            assert(text.endsWith('hello /p'), text);
            assert(facts.requests.length === before + 1, facts.requests);
            assert(facts.requests.pop().body === 'abcde');
            await g.event();
        }
        const large = 'x'.repeat(3000000);
        const socket = open(g);
        socket.write('POST http://ok.example.net/l HTTP/1.1\r\n' +
            `Host: ok.example.net\r\nContent-Length: ${large.length}\r\n\r\n`);
        socket.write(large);
        await socket.over;
        assert(facts.requests.pop().body === large);
        const event = await g.event();
        assert(event.up >= large.length, event);
    });

tests['a body that is cut off, or malformed, reaches nobody as whole'] =
    () => withGateway({}, async (g) => {
        const before = facts.requests.length;
        for (const body of ['3\r\nabc\r\n0\r\nX: y\r\n\r\n', '3;a=b\r\nabc\r\n',
            '3\nabc\n0\n\n'])
            await ask(g, 'POST http://ok.example.net/c HTTP/1.1\r\n' +
                'Host: ok.example.net\r\nTransfer-Encoding: chunked\r\n\r\n' +
                body);
        const cut = open(g);
        cut.end('POST http://ok.example.net/c HTTP/1.1\r\n' +
            'Host: ok.example.net\r\nContent-Length: 9\r\n\r\nabc');
        await cut.over;
        await pause(100);
        assert(facts.requests.length === before, facts.requests);
    });

tests['what could be read in two ways is refused, and goes nowhere'] =
    () => withGateway({}, async (g) => {
        const before = facts.requests.length;
        const line = 'POST http://ok.example.net/s HTTP/1.1\r\n';
        const host = 'Host: ok.example.net\r\n';
        for (const text of [
            `${line}${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`,
            `${line}${host}Content-Length: 4\r\nContent-Length: 4\r\n\r\n`,
            `${line}${host}Content-Length: 4\r\nContent-Length: 5\r\n\r\n`,
            `${line}${host}Transfer-Encoding: identity, chunked\r\n\r\n`,
            `${line}${host}Transfer-Encoding : chunked\r\n\r\n`,
            `${line}${host}Transfer-Encoding:\x0bchunked\r\n\r\n`,
            `${line}${host}X: a\r\n Transfer-Encoding: chunked\r\n\r\n`,
            `${line}${host}X: a\nContent-Length: 4\r\n\r\n`,
            `${line}${host}X: a\rContent-Length: 4\r\n\r\n`,
            `${line}${host}Host: meta.example.net\r\n\r\n`,
            `${line}Host: meta.example.net\r\n\r\n`,
            `${line}\r\n`,
            'POST /s HTTP/1.1\r\nHost: ok.example.net\r\n\r\n',
            'POST http://a@ok.example.net/s HTTP/1.1\r\n' + host + '\r\n',
            'POST http://ok.example.net\\@meta.example.net/ HTTP/1.1\r\n' +
                host + '\r\n',
        ]) {
            const answer = await ask(g, text);
            assert(/^HTTP\/1\.1 (400|501) /.test(answer), text + answer);
            const event = await g.event();
            assert(event.verdict === 'request' && event.up === 0, event);
        }
        assert(facts.requests.length === before, facts.requests);
    });

tests['CONNECT: TLS to the host it names'] = () => withGateway({}, async (g) => {
    const socket = await connect(g, 'ok.example.net:443');
    assert(socket.text.startsWith('HTTP/1.1 200 '), socket.text);
    const { secure, outcome } = await shake(socket, 'OK.example.net');
    assert(outcome === 'secure', outcome);
    secure.write('GET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const data of secure)
        text += data;
    assert(text.endsWith('hello /t'), text);
    const event = await g.event('ok.example.net');
    assert(event.verdict === 'allowed' && event.port === 443 &&
        event.up > 300 && event.down > 500, event);
});

tests['CONNECT: a ClientHello in pieces, and with the request'] =
    () => withGateway({}, async (g) => {
        const captured = await new Promise((done) => {
            const server = net.createServer((socket) => {
                socket.on('error', () => {});
                socket.once('data', (data) => {
                    server.close();
                    socket.destroy();
                    done(data);
                });
            });
            server.listen(0, '127.0.0.1', () => tls.connect({
                port: server.address().port, servername: 'ok.example.net',
            }).on('error', () => {}));
        });
        const heard = facts.heard[`${world.PUBLIC}:8443`];
        const socket = await connect(g, 'ok.example.net:8443');
        socket.setNoDelay();
        for (const byte of captured) {
            assert(heard.text === '', 'sent before it was whole');
            socket.write(Buffer.from([byte]));
            await new Promise(setImmediate);
        }
        await until(() => heard.text === captured.toString('latin1'), 'all of it');
        socket.destroy();
        // In records of 40 bytes, and together with CONNECT.
        heard.text = '';
        const message = captured.subarray(5);
        const records = [];
        for (let at = 0; at < message.length; at += 40) {
            const part = message.subarray(at, at + 40);
            records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
        }
        const all = Buffer.concat(records);
        const early = open(g);
        early.write(Buffer.concat([Buffer.from('CONNECT ok.example.net:8443 ' +
            'HTTP/1.1\r\nHost: ok.example.net:8443\r\n\r\n'), all]));
        await until(() => heard.text === all.toString('latin1'), 'the records');
        early.destroy();
        heard.text = '';
        // The answer to CONNECT comes also before a refusal.
        const wrong = await ask(g, Buffer.concat([Buffer.from('CONNECT ' +
            'www.example.net:443 HTTP/1.1\r\nHost: www.example.net\r\n\r\n'),
        captured]));
        assert(/^HTTP\/1\.1 200 [^]*\r\n\r\n\x15\x03\x03\0\x02\x02\x31$/
            .test(wrong), JSON.stringify(wrong));
    });

tests['CONNECT: another server name, none, or no TLS: not a byte goes on'] =
    () => withGateway({ head_ms: 500 }, async (g) => {
        const heard = facts.heard[`${world.PUBLIC}:8443`];
        for (const [name, says] of [['other.example.net', 'other.example.net'],
            ['', 'names no server'], ['ok.example.net.evil.net', 'evil']]) {
            const socket = await connect(g, 'ok.example.net:8443');
            assert(socket.text.startsWith('HTTP/1.1 200 '), socket.text);
            const { outcome } = await shake(socket, name);
            assert(/access denied|access_denied/.test(outcome), outcome);
            const event = await g.event('ok.example.net');
            assert(event.verdict === 'sni' && event.up === 0 &&
                event.message.includes(says), event);
        }
        for (const text of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-x\r\n', '']) {
            const socket = await connect(g, 'ok.example.net:8443');
            socket.write(text);
            await socket.over;
            const event = await g.event('ok.example.net');
            assert(event.verdict === 'sni' && event.up === 0, event);
        }
        assert(heard.text === '', heard);
    });

tests['a host that is not listed: 403, and the line to add'] =
    () => withGateway({}, async (g) => {
        for (const [host, line] of [
            ['other.example.net', 'network: [npm, ok.example.net, other.example.net]'],
            ['other.example.net:8080', 'ok.example.net, other.example.net:8080]'],
            ['deep.example.net', 'deep.example.net]'],
            ['xok.example.net', 'xok.example.net]'],
            ['localhost', 'localhost'],
        ]) {
            const text = await ask(g, get(host));
            assert(text.startsWith('HTTP/1.1 403 Forbidden\r\n') &&
                text.includes(line), text);
            const event = await g.event();
            assert(event.verdict === 'host' && event.address === '' &&
                event.message.includes(line), event);
        }
        const socket = await connect(g, 'ok.example.net:22');
        assert(socket.text.startsWith('HTTP/1.1 403 ') &&
            socket.text.includes('ok.example.net:22]'), socket.text);
        assert(!Object.keys(facts.asked).some((k) => k.startsWith('other')),
            facts.asked);
    });

tests['within: what both lists allow'] =
    () => withGateway({ within: ['ok.example.net'] }, async (g) => {
        assert((await ask(g, get('ok.example.net'))).includes('200 OK'));
        const text = await ask(g, get('www.example.net'));
        assert(text.startsWith('HTTP/1.1 403') && text.includes('fork_hosts'),
            text);
    });

tests['special addresses are refused, whatever the name says'] =
    () => withGateway({}, async (g) => {
        for (const [name, kind] of [['meta', 'link local'],
            ['private', 'private use'], ['loop', 'loopback'],
            ['zero', 'this network'], ['mapped', 'private use'],
            ['nat64', 'link local'], ['6to4', '6to4'],
            ['unique', 'unique local']]) {
            const host = `${name}.example.net`;
            for (const text of [await ask(g, get(host, '/key')),
                (await connect(g, `${host}:443`)).text]) {
                assert(text.startsWith('HTTP/1.1 403 ') && text.includes(kind) &&
                    text.includes('gateway.allow_addresses'), text);
                const event = await g.event(host);
                assert(event.verdict === 'address' && event.up === 0, event);
            }
        }
        for (const key of [`${world.METADATA}:80`, `${world.METADATA}:443`,
            `${world.PRIVATE}:80`, '127.0.0.1:80'])
            assert(facts.heard[key].connections === 0, key);
    });

tests['an address written as a host is none'] = () => withGateway(
    { allow_addresses: ['0.0.0.0/0'] }, async (g) => {
        for (const host of [world.METADATA, '[::1]', '2852039166', '0xa9fea9fe',
            '127.1']) {
            const text = await ask(g, get(host));
            assert(text.startsWith('HTTP/1.1 400 '), text);
        }
        assert(facts.heard[`${world.METADATA}:80`].connections === 0);
    });

tests['allow_addresses opens what it names, and no more'] = () => withGateway(
    { allow_addresses: ['10.9.0.0/16'] }, async (g) => {
        const text = await ask(g, get('private.example.net'));
        assert(text.endsWith('private'), text);
        assert((await g.event()).address === world.PRIVATE);
        const meta = await ask(g, get('meta.example.net'));
        assert(meta.startsWith('HTTP/1.1 403 '), meta);
        // The translator's own address would be refused still.
        const nat = await ask(g, get('nat64.example.net'));
        assert(nat.startsWith('HTTP/1.1 403 '), nat);
    });

tests['own_hosts: at an address of the site, that host and port alone'] =
    () => withGateway({ own_hosts: ['private.example.net', 'meta.example.net',
        'nat64.example.net'] }, async (g) => {
        const text = await ask(g, get('private.example.net'));
        assert(text.endsWith('private'), text);
        assert((await g.event()).address === world.PRIVATE);
        for (const host of ['meta', 'nat64', 'unique', 'mapped', 'loop']) {
            const no = await ask(g, get(`${host}.example.net`));
            assert(no.startsWith('HTTP/1.1 403 '), no);
        }
    });

tests['own_hosts: not at another port'] = () => withGateway(
    { own_hosts: ['private.example.net:81'] }, async (g) => {
        const no = await ask(g, get('private.example.net'));
        assert(no.startsWith('HTTP/1.1 403 ') && no.includes('private use'), no);
    });

tests['of several addresses those that may be are taken'] =
    () => withGateway({}, async (g) => {
        const text = await ask(g, get('both.example.net'));
        assert(text.endsWith('hello /'), text);
        assert((await g.event()).address === world.PUBLIC);
    });

tests['rebinding: one look-up a request, and its answer is what is checked'] =
    () => withGateway({}, async (g) => {
        const first = await ask(g, get('rebind.example.net'));
        assert(first.endsWith('hello /'), first);
        assert(facts.asked['rebind.example.net A'] === 1, facts.asked);
        const second = await ask(g, get('rebind.example.net'));
        assert(second.startsWith('HTTP/1.1 403 '), second);
        assert(facts.asked['rebind.example.net A'] === 2, facts.asked);
        assert(facts.heard[`${world.METADATA}:80`].connections === 0);
    });

tests['a redirect is a request like any other'] =
    () => withGateway({}, async (g) => {
        const moved = await ask(g, get('ok.example.net', '/moved'));
        const to = /Location: http:\/\/([^/]*)(.*)\r/.exec(moved);
        assert(to, moved);
        const text = await ask(g, get(to[1], to[2]));
        assert(text.startsWith('HTTP/1.1 403 '), text);
        assert(facts.heard[`${world.METADATA}:80`].connections === 0);
    });

tests['IPv6'] = () => withGateway({}, async (g) => {
    const text = await ask(g, get('six.example.net'));
    assert(text.endsWith('hello /'), text);
    assert((await g.event()).address === world.SIX);
});

tests['a host that does not answer, or does not exist: 502, in time'] =
    () => withGateway({ connect_ms: 700 }, async (g) => {
        // A newer c-ares gives up by itself, before our limit.
        for (const [host, says] of [['dead.example.net', /refused/],
            ['gone.example.net', /cannot be looked up/],
            ['mute.example.net', /cannot be looked up: Timeout|not be looked up within 700 ms/],
        ]) {
            const began = Date.now();
            const text = await ask(g, get(host));
            assert(text.startsWith('HTTP/1.1 502 ') && says.test(text),
                text);
            assert(Date.now() - began < 4000, 'it took too long');
            assert((await g.event(host)).verdict === 'failed');
        }
    });

const inject = [{ host: 'ok.example.net', header: 'Authorization',
    value: SECRET }];

tests['inject: http becomes https, with the field that only we know'] =
    () => withGateway({ inject }, async (g) => {
        const text = await ask(g, get('ok.example.net', '/key',
            'authorization: mine\r\n'));
        assert(text.endsWith('hello /key'), text);
        const got = facts.secureRequests.pop();
        assert(got.headers.authorization === SECRET &&
            got.raw.filter((h) => /^authorization$/i.test(h)).length === 1 &&
            got.headers.host === 'ok.example.net', got);
        assert(!text.includes(SECRET));
        const event = await g.event('ok.example.net');
        assert(event.port === 443 && event.verdict === 'allowed' &&
            !JSON.stringify(event).includes('s3cr3t'), event);
        // No other host gets it, nor a tunnel.
        await ask(g, get('www.example.net', '/other'));
        assert(!('authorization' in facts.requests.pop().headers));
        const large = await ask(g, get('ok.example.net', '/bytes/3000000'));
        assert(large.length > 3000000, String(large.length));
    });

tests['inject: not to a host whose certificate is not trusted, or not its own'] =
    async () => {
        const before = facts.secureRequests.length;
        await withGateway({ inject }, async (g) => {
            const text = await ask(g, get('ok.example.net'));
            assert(text.startsWith('HTTP/1.1 502 ') &&
                text.includes('certificate is not trusted'), text);
        }, { SSL_CERT_FILE: '/dev/null' });
        await withGateway({ inject: [{ ...inject[0], host: 'www.example.net' }] },
            async (g) => {
                const text = await ask(g, get('www.example.net'));
                assert(text.startsWith('HTTP/1.1 502 ') &&
                    text.includes('not trusted'), text);
            });
        assert(facts.secureRequests.length === before, 'it was sent');
    };

tests['inject: plain, where it says so'] = () => withGateway(
    { inject: [{ ...inject[0], tls: false }] }, async (g) => {
        await ask(g, get('ok.example.net', '/plain'));
        assert(facts.requests.pop().headers.authorization === SECRET);
    });

require('./gateway_inject')(tests, () => facts, inject);

tests['bounds: connections at once; the next waits'] = () => withGateway(
    { max_connections: 2, head_ms: 60000 }, async (g) => {
        const held = [open(g), open(g)];
        held.forEach((socket) => socket.write('GET '));
        await pause(200);
        const third = open(g);
        third.write(get('ok.example.net'));
        await pause(300);
        assert(third.text === '', third.text);
        held[0].destroy();
        await third.over;
        assert(third.text.endsWith('hello /'), third.text);
        held[1].destroy();
    });

tests['bounds: connections a second'] = () => withGateway(
    { max_rate: 10 }, async (g) => {
        const began = Date.now();
        await Promise.all(Array.from({ length: 25 },
            () => ask(g, get('ok.example.net'))));
        const took = Date.now() - began;
        assert(took > 1000 && took < 10000, String(took));
    });

tests['bounds: bytes of the job'] = () => withGateway(
    { max_bytes: 1000000 }, async (g) => {
        const waiting = ask(g, get('mute.example.net'));
        const text = await ask(g, get('ok.example.net', '/bytes/3000000'));
        assert(text.length < 1200000, String(text.length));
        const event = await g.event('ok.example.net');
        assert(event.verdict === 'limit' &&
            event.message.includes('1000000 bytes'), event);
        assert((await waiting).includes('gateway.max_bytes'));
        const next = await ask(g, get('ok.example.net'));
        assert(next.startsWith('HTTP/1.1 403 ') &&
            next.includes('gateway.max_bytes'), next);
    });

tests['bounds: a slow head, a connection without traffic'] = () => withGateway(
    { head_ms: 500, idle_ms: 600 }, async (g) => {
        const slow = open(g);
        const began = Date.now();
        const drip = setInterval(() => slow.write('G'), 50);
        await slow.over;
        clearInterval(drip);
        assert(slow.text.startsWith('HTTP/1.1 408 ') &&
            Date.now() - began < 3000, slow.text);
        const idle = await ask(g, get('ok.example.net', '/never'));
        assert(idle === '', idle);
        const silent = open(g);
        await silent.over;
        assert(silent.text === '');
    });

tests['a client that goes away takes its connection along'] =
    () => withGateway({}, async (g) => {
        const socket = open(g);
        socket.write(get('ok.example.net', '/never'));
        await until(() => facts.requests.some((r) => r.url === '/never'),
            'the request');
        socket.resetAndDestroy();
        const event = await g.event('ok.example.net');
        assert(event.verdict === 'allowed', event);
    });

tests['noise, and 300 clients at once, do it no harm'] =
    () => withGateway({ max_rate: 100000 }, async (g) => {
        const noise = Array.from({ length: 150 }, (_, i) => ask(g,
            Buffer.from(Array.from({ length: 40000 },
                (__, j) => (i * 7919 + j * 104729) % 251))));
        const good = Array.from({ length: 150 },
            (_, i) => ask(g, get('ok.example.net', `/bytes/${i * 500}`)));
        await Promise.all(noise);
        for (const text of await Promise.all(good))
            assert(text.startsWith('HTTP/1.1 200'), text.slice(0, 200));
        assert(fs.readdirSync(`/proc/${g.pid}/fd`).length < 20, 'descriptors');
    });

tests['it has no rights, and nobody may look into it'] =
    () => withGateway({ inject }, async (g) => {
        const status = fs.readFileSync(`/proc/${g.pid}/status`, 'utf8');
        assert(new RegExp(`Uid:(\\t${UID}){4}\\n`).test(status) &&
            new RegExp(`Gid:(\\t${UID}){4}\\n`).test(status) &&
            /Groups:\s*\n/.test(status) && /CapEff:\t0+\n/.test(status) &&
            /CapPrm:\t0+\n/.test(status) && /NoNewPrivs:\t1/.test(status) &&
            /Seccomp:\t2/.test(status),
        status);
        // Not even who runs under its uid.
        const peek = spawnSync('setpriv', [`--reuid=${UID}`, `--regid=${UID}`,
            '--clear-groups', 'head', '-c1', `/proc/${g.pid}/environ`]);
        assert(peek.status !== 0, 'its environment can be read');
    });

tests['killed: its client says so at once, and nothing is left'] = async () => {
    const gateway = new Gateway({});
    const { pid } = await gateway.line();
    const socket = await connect(gateway, 'ok.example.net:8443');
    process.kill(pid, 'SIGKILL');
    const lost = await gateway.line((line) => line.lost);
    assert(lost.lost.includes('killed by signal 9 (SIGKILL)'), lost);
    await socket.over;
    await gateway.stop();
    assert(!fs.existsSync(`/proc/${pid}`), 'it is there');
};

tests['it ends with its client, however that ends'] = async () => {
    const gateway = new Gateway({});
    const { pid } = await gateway.line();
    gateway.child.kill('SIGKILL');
    await until(() => !fs.existsSync(`/proc/${pid}`), 'its end');
};

tests['git over https, through CONNECT'] = async () => {
    const git = (...args) => execFileSync('git', args, { stdio: 'pipe',
        env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: tmp,
            GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_NAME: 'n',
            GIT_AUTHOR_EMAIL: 'e', GIT_COMMITTER_NAME: 'n',
            GIT_COMMITTER_EMAIL: 'e' } }).toString();
    const repo = path.join(tmp, 'repos/r.git');
    git('init', '-q', '--bare', repo);
    git('-C', repo, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    const tree = git('-C', repo, 'write-tree').trim();
    const commit = git('-C', repo, 'commit-tree', '-m', 'one', tree).trim();
    git('-C', repo, 'update-ref', 'refs/heads/main', commit);
    const ports = path.join(tmp, 'ports');
    const server = spawn(process.execPath, [path.join(__dirname,
        'checkout_server.js'), path.dirname(repo), ports, path.join(tmp, 'log'),
    facts.certificates.key, facts.certificates.cert], { stdio: 'inherit' });
    try {
        await until(() => fs.existsSync(ports) &&
            fs.readFileSync(ports, 'utf8').trim(), 'the ports');
        await pause(100);
        const port = fs.readFileSync(ports, 'utf8').trim().split(/\s+/)[1];
        fs.writeFileSync(path.join(tmp, 'hosts'),
            '127.0.0.1 localhost git.example.net\n');
        await withGateway({ hosts: [`git.example.net:${port}`],
            allow_addresses: ['127.0.0.1'] }, async (g) => {
            const clone = spawn('git', ['-c',
                `http.sslCAInfo=${facts.certificates.cert}`, 'clone', '-q',
                `https://git.example.net:${port}/git/r.git`,
                path.join(tmp, 'clone')], { stdio: ['ignore', 'pipe', 'pipe'],
                env: { PATH: process.env.PATH, HOME: tmp,
                    https_proxy: `http://127.0.0.1:${g.port}` } });
            let said = '';
            clone.stderr.on('data', (data) => { said += data; });
            const code = await new Promise((done) => clone.on('exit', done));
            assert(code === 0, said);
            assert(git('-C', path.join(tmp, 'clone'), 'rev-parse', 'HEAD')
                .trim() === commit);
            const event = await g.event('git.example.net');
            assert(event.verdict === 'allowed' && event.address === '127.0.0.1',
                event);
        });
    } finally {
        server.kill();
    }
};

async function main() {
    fs.chmodSync(tmp, 0o755);
    facts = await world.make(tmp);
    use(facts);
    const wanted = process.argv[2];
    for (const [name, test] of Object.entries(tests)) {
        if (wanted && !name.includes(wanted))
            continue;
        let problem = null;
        await Promise.race([test(), pause(60000).then(() => {
            throw new Error('it hangs');
        })]).catch((error) => { problem = error; });
        ok(!problem, name, problem);
    }
    end();
}

main();
