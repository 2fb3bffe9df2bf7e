// tests/security/jobs.js - attacks that are whole jobs: how they are tried.
// SPDX-License-Identifier: Apache-2.0
//
// Each is { name, why, attack(scene) }: attack gives how it was held, a text, or
// throws with what got in. `why` says why nobody shows it without a protection:
// none of these is one that the OCI configuration holds.
'use strict';
const fs = require('fs');
const path = require('path');
const rig = require('./rig');

const INSTANCE = { cpu: 1, memory: '256MiB', disk: '64MB', pids: 200 };

class GotIn extends Error {}

function must(good, what) {
    if (!good)
        throw new GotIn(typeof what === 'string' ? what : JSON.stringify(what));
}

// A job of these steps; those that may fail say so themselves.
async function job(steps, options = {}) {
    const done = await rig.run({ timeout: '4m', env: options.vars,
        sandbox: { instance_type: INSTANCE, ...options.sandbox }, steps },
    options);

    must(done.result, `no result: ${done.log.slice(-800)}`);
    const byName = Object.fromEntries(done.result.steps.map((step) =>
        [step.name, step]));
    return { ...done, steps: byName };
}

const script = (name, run, more = {}) => ({ name, run, shell: 'bash',
    'continue-on-error': true, ...more });

// Our own processes are all that run here: this is a namespace of the test's.
function running(word) {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
        .filter((pid) => {
            try {
                return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1')
                    .includes(word);
            } catch {
                return false;
            }
        });
}

const all = () => ['output', 'files', 'limits', 'checkout', 'documents', 'network',
    'others', 'secrets'].flatMap((name) => require(`./jobs_${name}`).attacks);

async function main(wanted, scene) {
    const queue = all().filter(({ name }) => wanted(name));
    const outcomes = new Map();
    const work = async () => {
        for (let one; (one = queue.shift());) {
            try {
                outcomes.set(one.name, [String(await one.attack(scene))]);
            } catch (error) {
                outcomes.set(one.name, [null, error instanceof GotIn ?
                    error.message : error.stack]);
            }
        }
    };

    await Promise.all([work(), work()]);
    for (const { name, why } of all()) {
        if (outcomes.has(name)) {
            const [held, what] = outcomes.get(name);
            rig.record('jobs', name, held, '', undefined,
                held === null ? what : why);
        }
    }
}

// A directory outside where nothing may appear, which anybody could write to.
function trap(scene, name) {
    const dir = path.join(scene.host, name);
    fs.mkdirSync(dir);
    fs.chmodSync(dir, 0o777);
    return dir;
}

const isEmpty = (dir) => fs.readdirSync(dir).length === 0;

module.exports = { main, all, job, script, must, running, trap, isEmpty, INSTANCE };
