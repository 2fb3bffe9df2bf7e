// tests/lib/free_port.js - a port of 127.0.0.1 that nobody has now.
// SPDX-License-Identifier: Apache-2.0
//
// It is below those that the kernel gives to whoever connects, which would take
// it before it is used; so is the port 10000 above it, a Redis Cluster's bus.
//
// From a shell: node tests/lib/free_port.js prints one.
'use strict';

const { randomInt } = require('crypto');
const net = require('net');

async function freePort() {
  for (;;) {
    const port = randomInt(10000, 22000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.on('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

if (require.main === module) freePort().then((port) => console.log(port));

module.exports = { freePort };
