// tests/s3/server.js - s3rver, behind who checks signatures and breaks things.
// SPDX-License-Identifier: Apache-2.0
//
// usage: node server.js PORT DIR [KEY CERT]
//
// Serves the bucket "bucket" of DIR on 127.0.0.1:PORT (0: any), with TLS where
// KEY and CERT are given, and prints the port when it does. S3RVER_NODE is the
// directory that s3rver and aws4 are installed in. s3rver takes any signature
// of version 4, so each is made again with aws4, and the digest of the body
// computed. The keys are KEY_ID, SECRET and, if set, TOKEN of the environment.
//
//   GET /_test/fault?kind=KIND&count=N[&method=M]   the next N requests (of M)
//     KIND: a status, SlowDown, cut, hang, wrong, doctype, foreign, endless
//   GET /_test/log     METHOD PATH STATUS of all requests
//   GET /_test/tries   how many they are since this was asked last
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');

const [port, dir, key, cert] = process.argv.slice(2);
const installed = { paths: [process.env.S3RVER_NODE] };
const aws4 = require(require.resolve('aws4', installed));
const S3rver = require(require.resolve('s3rver', installed));
const { KEY_ID, SECRET, TOKEN } = process.env;
const log = [];
let counted = 0;
let fault = { kind: '', count: 0, method: '' };

const xmlError = (code) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code>` +
  `<Message>${SECRET} ${TOKEN}</Message></Error>`;

const fields = (authorization) =>
  Object.fromEntries(
    (authorization || '')
      .replace(/^AWS4-HMAC-SHA256 /, '')
      .split(/, */)
      .map((part) => part.split(/=(.*)/s).slice(0, 2)),
  );

// Why it is refused; '' when it is right.
function judge(req, body) {
  const given = fields(req.headers.authorization);
  const [id, date, region] = (given.Credential || '').split('/');
  const names = (given.SignedHeaders || '').split(';');
  const headers = {};
  if (id !== KEY_ID) return 'InvalidAccessKeyId';
  if (TOKEN && req.headers['x-amz-security-token'] !== TOKEN)
    return 'InvalidToken';
  for (const name of Object.keys(req.headers))
    if (name.startsWith('x-amz-') && !names.includes(name))
      return 'UnsignedHeader';
  if (!names.includes('host')) return 'UnsignedHost';
  for (const name of names) headers[name] = req.headers[name];
  const signer = new aws4.RequestSigner(
    { service: 's3', region, method: req.method, path: req.url, headers },
    { accessKeyId: id, secretAccessKey: SECRET },
  );
  const wanted = fields(signer.sign().headers.Authorization);
  if (wanted.Signature !== given.Signature)
    return 'SignatureDoesNotMatch';
  if (req.headers['x-amz-date'].slice(0, 8) !== date) return 'WrongDate';
  const digest = crypto.createHash('sha256').update(body).digest('hex');
  return digest === req.headers['x-amz-content-sha256']
    ? ''
    : 'XAmzContentSHA256Mismatch';
}

function say(req, res, status, body) {
  log.push(`${req.method} ${req.url} ${status}`);
  res.writeHead(status, { 'content-type': 'application/xml' });
  res.end(body);
}

const page = (contents, rest) =>
  `<?xml version="1.0"?><ListBucketResult>${contents}${rest}</ListBucketResult>`;
const object = (name) =>
  `<Contents><Key>${name}</Key><Size>1</Size>` +
  '<LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents>';

const breaks = {
  SlowDown: (req, res) => say(req, res, 503, xmlError('SlowDown')),
  cut: (req) => {
    log.push(`${req.method} ${req.url} cut`);
    req.socket.destroy();
  },
  hang: (req) => log.push(`${req.method} ${req.url} hang`),
  doctype: (req, res) =>
    say(req, res, 200, '<!DOCTYPE a [<!ENTITY b "c">]>' + page('', '')),
  foreign: (req, res) =>
    say(req, res, 200,
      page(object('another/aa/aa-1.log'), '<IsTruncated>false</IsTruncated>')),
  endless: (req, res) =>
    say(req, res, 200,
      page('', '<IsTruncated>true</IsTruncated>' +
        '<NextContinuationToken>same</NextContinuationToken>')),
};

function forward(req, res, body, inner, spoil) {
  const headers = { ...req.headers };
  delete headers.authorization;
  delete headers['x-amz-security-token'];
  delete headers['x-amz-content-sha256'];
  // s3rver takes a bucket's own host name apart; the front's port is its own.
  headers.host = req.headers.host.replace(/:\d+$/, `:${inner}`);
  const on = http.request(
    { port: inner, method: req.method, path: req.url, headers },
    (answer) => {
      log.push(`${req.method} ${req.url} ${answer.statusCode}`);
      res.writeHead(answer.statusCode, answer.headers);
      if (!spoil) {
        answer.pipe(res);
        return;
      }
      answer.on('data', (chunk) => {
        chunk[0] ^= 1;
        res.write(chunk);
      });
      answer.on('end', () => res.end());
    },
  );
  on.on('error', () => req.socket.destroy());
  on.end(body);
}

function control(req, res) {
  const url = new URL(req.url, 'http://x');
  const asked = Object.fromEntries(url.searchParams);
  if (url.pathname === '/_test/fault')
    fault = { method: '', ...asked, count: Number(asked.count) };
  if (url.pathname === '/_test/tries') {
    res.end(`${log.length - counted}\n`);
    counted = log.length;
    return;
  }
  res.end(log.join('\n') + '\n');
}

function serve(inner, req, res) {
  const chunks = [];
  if (req.url.startsWith('/_test/')) {
    control(req, res);
    return;
  }
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('error', () => {});
  req.on('end', () => {
    const body = Buffer.concat(chunks);
    const why = judge(req, body);
    const now =
      fault.count > 0 && (!fault.method || fault.method === req.method)
        ? fault.kind
        : '';
    if (now) fault.count -= 1;
    if (why) say(req, res, 403, xmlError(why));
    else if (breaks[now]) breaks[now](req, res);
    else if (/^\d+$/.test(now)) say(req, res, Number(now), xmlError('Broken'));
    else forward(req, res, body, inner, now === 'wrong');
  });
}

const s3rver = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory: path.resolve(dir),
  configureBuckets: [{ name: 'bucket' }],
});
s3rver.run().then(({ port: inner }) => {
  const handler = (req, res) => serve(inner, req, res);
  const front = key
    ? https.createServer(
        { key: fs.readFileSync(key), cert: fs.readFileSync(cert) },
        handler,
      )
    : http.createServer(handler);
  front.listen(Number(port), '127.0.0.1', () =>
    console.log(front.address().port),
  );
});
