// tests/security/jobs_limits.js - jobs that use up what there is, and how they
// are said to have ended.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { job, must, running } = require('./jobs');

const why = 'programs show it: limit-…';

async function forkBomb() {
    const { result, steps } = await job([{ name: 'bomb', shell: 'bash',
        timeout: '3s', run: 'b() { b | b & }; b; sleep 60' },
    { name: 'after', if: 'always()', run: 'echo here' }],
    { sandbox: { instance_type: 'lite' } });

    must(['timed_out', 'step_failed', 'out_of_memory'].includes(result.reason) &&
        steps.after.outcome === 'passed', result);
    must(running('b() { b | b').length === 0, 'it lives');
    return result.reason;
}

async function memory() {
    const { result } = await job([{ name: 'eats', timeout: '60s',
        run: 'tail /dev/zero' }], { sandbox: { instance_type: 'lite' } });

    must(result.reason === 'out_of_memory' && result.usage.oom_kills > 0, result);
    return result.reason;
}

async function disk() {
    const { result } = await job([{ name: 'fills',
        run: 'cat /dev/zero >big' }]);

    must(result.reason === 'disk_full', result);
    return result.reason;
}

async function inodes() {
    const { result } = await job([{ name: 'fills', shell: 'bash', run: `
        mkdir many; cd many
        python3 -c 'i = 0
while True:
    open(str(i), "w").close(); i += 1'` }]);

    must(result.reason === 'disk_full', result);
    return result.reason;
}

async function otherDirs() {
    const { result } = await job([{ name: 'fills', shell: 'bash', run: `
        for d in /tmp /var/tmp ~ .; do
            head -c 30000000 /dev/zero >$d/big || exit 1
        done` }]);

    must(result.reason === 'disk_full', result);
    return 'one disk for all: disk_full';
}

async function pipes() {
    const { result, steps } = await job([{ name: 'fills', timeout: '30s',
        'continue-on-error': true, run: `python3 -c '
import os, fcntl
try:
    while True:
        r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20)
        os.set_blocking(w, False)
        os.write(w, b"x" * (1 << 20))
except OSError as e: print(e); raise'` }, { name: 'after', run: 'echo here' }]);

    must(steps.fills.outcome === 'failed' && result.state === 'passed', steps);
    return 'EPERM, or out of memory';
}

async function manySteps() {
    const steps = Array.from({ length: 100 }, (_, i) => ({ name: `s${i}`,
        'continue-on-error': true, timeout: '5s',
        run: '(setsid sleep 300 &) >/dev/null 2>&1; true' }));
    const { result } = await job(steps);

    must(result.state === 'passed', result.reason);
    must(running('sleep\x00300').length === 0, 'some live');
    return 'none of their processes is left';
}

module.exports = { attacks: [
    { name: 'job-fork-bomb', why, attack: forkBomb },
    { name: 'job-memory', why, attack: memory },
    { name: 'job-disk', why, attack: disk },
    { name: 'job-inodes', why, attack: inodes },
    { name: 'job-other-directories', why, attack: otherDirs },
    { name: 'job-pipe-memory', why, attack: pipes },
    { name: 'job-many-steps', why, attack: manySteps },
] };
