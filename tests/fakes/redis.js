// tests/fakes/redis.js SOCKET VERSION SKEW_S - a Redis of another version whose
// clock is off. It answers what berth doctor asks, and refuses all else.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const net = require('net');

const [socket, version, skew] = process.argv.slice(2);
const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const info =
  `redis_version:${version}\r\nrole:master\r\nconnected_slaves:1\r\n` +
  'slave0:ip=127.0.0.1,port=1,state=online,offset=1,lag=60\r\n' +
  'maxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n';

function answer(command) {
  const seconds = Math.floor(Date.now() / 1000) + Number(skew);
  if (command === 'INFO') return bulk(info);
  if (command === 'PING') return '+PONG\r\n';
  if (command === 'TIME') return `*2\r\n${bulk(String(seconds))}${bulk('0')}`;
  return `-ERR unknown command '${command}'\r\n`;
}

net
  .createServer((client) => {
    client.on('error', () => {});
    // One command at a time comes, as *N\r\n$LEN\r\nNAME\r\n…
    client.on('data', (data) => {
      const [, , name] = data.toString('latin1').split('\r\n');
      client.write(answer(name.toUpperCase()));
    });
  })
  .listen(socket);
