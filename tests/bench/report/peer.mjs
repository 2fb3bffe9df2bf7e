// tests/bench/report/peer.mjs - webhooks to jobs with @octokit/webhooks and git.
// SPDX-License-Identifier: Apache-2.0
//
// node peer.mjs SOCKET SECRET CLIENT DIR: prints its port. A delivery whose
// signature fits goes to a list of Redis, and is answered then. Git fetches its
// commit, as many at a time as there are processors, and what .berth/ci.yml is
// there goes to another list: the queue.
import { execFile } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { Webhooks, createNodeMiddleware } from '@octokit/webhooks';

const [socket, secret, client, dir] = process.argv.slice(2);
const { Redis } = createRequire(import.meta.url)(client);
const redis = new Redis(socket);
const run = promisify(execFile);
const git = (...words) => run('git', ['-C', dir, ...words]);
const env = ['-c', 'gc.auto=0', '-c', 'maintenance.auto=false'];

const waiting = [];
let free = availableParallelism();

async function readPipeline({ id, payload }) {
    const { sha } = payload.pull_request.head;
    await git(...env, 'fetch', '-q', '--no-tags', '--no-write-fetch-head',
        payload.repository.clone_url, sha);
    const { stdout } = await git('show', `${sha}:.berth/ci.yml`);
    await redis.call('LPUSH', 'peer:jobs',
        JSON.stringify({ id, at: Date.now(), pipeline: stdout }));
}

function next() {
    while (free > 0 && waiting.length) {
        free--;
        readPipeline(waiting.shift()).catch((error) => {
            console.error(error);
            process.exit(1);
        }).finally(() => {
            free++;
            next();
        });
    }
}

const webhooks = new Webhooks({ secret });
webhooks.onAny(async ({ id, name, payload }) => {
    await redis.call('LPUSH', 'peer:deliveries',
        JSON.stringify({ id, name, payload }));
    waiting.push({ id, payload });
    next();
});

await run('git', ['init', '-q', '--bare', dir]);
const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/github' });
const server = http.createServer(middleware).listen(0, '127.0.0.1', () =>
    console.log(server.address().port));
