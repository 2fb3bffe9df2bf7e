// tests/integration/checkout_server.js - git http-backend, and worse servers.
// SPDX-License-Identifier: Apache-2.0
//
// node checkout_server.js ROOT PORTS_FILE LOG [KEY CERT]
// Serves the bare repositories below ROOT on loopback and writes its http and
// https port to PORTS_FILE. By the first part of the path:
//   /git/    as git http-backend does      /auth/  only to user:secret
//   /cut/    breaks off in the pack        /mute/  accepts, never answers
//   /busy/   503                           /moved/ redirects to /git/
//   /away/   redirects to another host, which logs what credential it gets
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const { spawn } = require('child_process');

const [root, portsFile, log, key, cert] = process.argv.slice(2);
const note = (text) => fs.appendFileSync(log, text + '\n');
const CUT_BYTES = 30000;

function headersEnd(buffer) {
    const at = buffer.indexOf('\r\n\r\n');
    if (at < 0)
        return null;
    return { head: buffer.slice(0, at).toString(), body: at + 4 };
}

function backend(req, res, path, query, cut) {
    const cgi = spawn('git', ['http-backend'], {
        env: {
            PATH: process.env.PATH,
            GIT_PROJECT_ROOT: root,
            GIT_HTTP_EXPORT_ALL: '1',
            GIT_CONFIG_COUNT: '1',
            GIT_CONFIG_KEY_0: 'safe.directory',
            GIT_CONFIG_VALUE_0: '*',
            REQUEST_METHOD: req.method,
            PATH_INFO: path,
            QUERY_STRING: query,
            CONTENT_TYPE: req.headers['content-type'] || '',
            HTTP_CONTENT_ENCODING: req.headers['content-encoding'] || '',
            REMOTE_ADDR: '127.0.0.1',
        },
    });
    let pending = Buffer.alloc(0);
    let started = false;
    let sent = 0;

    const send = (chunk) => {
        sent += chunk.length;
        if (cut && sent > CUT_BYTES) {
            res.write(chunk.slice(0, CUT_BYTES / 2));
            setTimeout(() => req.socket.destroy(), 20);
            cgi.kill();
            return;
        }
        res.write(chunk);
    };
    cgi.stdout.on('data', (chunk) => {
        if (started)
            return send(chunk);
        pending = Buffer.concat([pending, chunk]);
        const end = headersEnd(pending);
        if (!end)
            return undefined;
        started = true;
        for (const line of end.head.split('\r\n')) {
            const [name, value] = line.split(/: (.*)/);
            if (name === 'Status')
                res.statusCode = parseInt(value, 10);
            else
                res.setHeader(name, value);
        }
        return send(pending.slice(end.body));
    });
    cgi.on('close', () => res.end());
    cgi.stdin.on('error', () => {});
    req.pipe(cgi.stdin);
}

function handle(req, res) {
    const url = new URL(req.url, 'http://localhost');
    const [, kind] = url.pathname.split('/');
    const path = url.pathname.slice(kind.length + 1);
    const given = req.headers.authorization || '';

    note(`${kind} ${req.headers.host.split(':')[0]} ${req.method} ${given}`);
    if (kind === 'mute')
        return undefined;
    if (kind === 'busy') {
        res.statusCode = 503;
        return res.end();
    }
    if (kind === 'moved' || kind === 'away') {
        const port = req.socket.localPort;
        const host = kind === 'away' ? `http://localhost:${port}/auth` : '/git';
        res.statusCode = 302;
        res.setHeader('Location', host + path + url.search);
        return res.end();
    }
    const wanted = Buffer.from('user:secret').toString('base64');
    if (kind === 'auth' && given !== `Basic ${wanted}`) {
        res.statusCode = 401;
        res.setHeader('WWW-Authenticate', 'Basic realm="git"');
        return res.end();
    }
    const cut = kind === 'cut' && req.method === 'POST';
    return backend(req, res, path, url.search.slice(1), cut);
}

const plain = http.createServer(handle).listen(0, '127.0.0.1', () => {
    if (!key)
        return fs.writeFileSync(portsFile, `${plain.address().port}\n`);
    const options = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
    const secure = https.createServer(options, handle);
    return secure.listen(0, '127.0.0.1', () =>
        fs.writeFileSync(portsFile,
            `${plain.address().port} ${secure.address().port}\n`));
});
