// tests/bench/report/peer.mjs - webhooks taken by @octokit/webhooks.
// SPDX-License-Identifier: Apache-2.0
//
// node peer.mjs SOCKET SECRET: prints its port. A delivery whose signature fits
// goes to a list of Redis, and is answered then; that is all it does.
import http from 'node:http';
import { createRequire } from 'node:module';
import { Webhooks, createNodeMiddleware } from '@octokit/webhooks';

const [socket, secret, client] = process.argv.slice(2);
const { Redis } = createRequire(import.meta.url)(client);
const redis = new Redis(socket);
const webhooks = new Webhooks({ secret });
webhooks.onAny(({ id, name, payload }) => redis.call('LPUSH', 'peer:jobs',
    JSON.stringify({ id, name, at: Date.now(), payload })));
const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/github' });
const server = http.createServer(middleware).listen(0, '127.0.0.1', () =>
    console.log(server.address().port));
