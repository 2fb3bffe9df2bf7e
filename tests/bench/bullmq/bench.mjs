// tests/bench/bullmq/bench.mjs - the same measurements with BullMQ.
// SPDX-License-Identifier: Apache-2.0
//
// node bench.mjs SOCKET throughput JOBS CONCURRENCY   → jobs/s
// node bench.mjs SOCKET submit JOBS                   → jobs/s, one by one
// node bench.mjs SOCKET pickup JOBS                   → p50 and p99 in ms
// node bench.mjs SOCKET idle SECONDS                  → RSS in KiB; waits
import { Queue, Worker } from 'bullmq';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [path, what, count, extra] = process.argv.slice(2);
const n = Number(count);
const connection = { path, maxRetriesPerRequest: null };
const queue = new Queue(`bench-${what}-${extra || 0}`, { connection });
await queue.obliterate({ force: true });

const rate = (jobs, from) =>
    (jobs / (performance.now() - from) * 1000).toFixed(0);

// Runs until `jobs` have been worked on and completed.
function work(jobs, concurrency, onJob = () => {}) {
    return new Promise((resolve) => {
        let done = 0;
        const worker = new Worker(queue.name, async (job) => onJob(job),
            { connection, concurrency });
        worker.on('completed', () => {
            if (++done === jobs)
                worker.close().then(resolve);
        });
    });
}

async function throughput() {
    for (let i = 0; i < n; i += 500)
        await queue.addBulk(Array.from({ length: Math.min(500, n - i) },
            (_, k) => ({ name: 'noop', data: { i: i + k } })));
    let from;
    let last;
    let done = 0;
    // From the first job's start to the last one's end.
    await new Promise((resolve) => {
        const worker = new Worker(queue.name, async () => {
            from ??= performance.now();
        }, { connection, concurrency: Number(extra) });
        worker.on('completed', () => {
            if (++done < n)
                return;
            last = performance.now();
            worker.close().then(resolve);
        });
    });
    console.log((n / (last - from) * 1000).toFixed(0));
}

async function submit() {
    const from = performance.now();
    let i = 0;
    // As many at once as the other side has: 50.
    await Promise.all(Array.from({ length: 50 }, async () => {
        while (i < n)
            await queue.add('noop', { i: i++ });
    }));
    console.log(rate(n, from));
}

async function pickup() {
    const times = [];
    const sent = new Map();
    const working = work(n, 1, (job) => {
        times.push(performance.now() - sent.get(job.data.i));
    });
    await sleep(1000);
    for (let i = 0; i < n; i++) {
        sent.set(i, performance.now());
        await Promise.all([queue.add('noop', { i }), sleep(5)]);
    }
    await working;
    times.sort((a, b) => a - b);
    console.log(times[Math.floor(n / 2)].toFixed(3),
        times[Math.floor(n * 0.99)].toFixed(3));
}

async function idle() {
    const worker = new Worker(queue.name, async () => {}, { connection });
    await sleep(n * 1000);
    const status = readFileSync('/proc/self/status', 'utf8');
    console.log(/VmRSS:\s+(\d+)/.exec(status)[1]);
    await worker.close();
}

await { throughput, submit, pickup, idle }[what]();
await queue.close();
process.exit(0);
