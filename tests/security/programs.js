// tests/security/programs.js - the programs of attack.h, in sandboxes.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { execFileSync } = require('child_process');
const path = require('path');
const rig = require('./rig');

const GOT_IN = 0, HELD = 10;
const STEPS_MAX = 45;
// Small: what is tried against a limit costs the host that much at most.
const INSTANCE = { cpu: 0.25, memory: '256MiB', disk: '64MB', pids: 128 };
// Not every kernel has all that is tried.
const ABSENT = /ENOSYS|EAFNOSUPPORT|ENODEV|ENXIO|EPFNOSUPPORT/;
// What takes more than root of a container may have.
const RAISES = ['proc-oom-score', 'rlimit-files', 'limit-files'];

function list() {
    const text = execFileSync(path.resolve(rig.berth,
        '../../tests/security/attack'), ['--list']).toString();

    return text.trim().split('\n').map((line) => {
        const [name, without] = line.split('\t');
        const shown = !without.startsWith('-');
        return { name, shown, why: without.slice(2),
            words: shown ? without.replaceAll(' ', '+') : '',
            planted: name.startsWith('planted-') };
    });
}

// One sandbox, a step for each: Map of name → [exit code, what it said]
async function perform(attacks, runtime, scene, image) {
    const program = runtime.words ? '/.attack/attack' : './attack';
    const got = new Map();
    const { result, log } = await rig.run({
        env: scene.env,
        sandbox: { instance_type: INSTANCE, ...(image && { image }) },
        steps: [...(runtime.words ? [] : [{ checkout: null }]),
            ...attacks.map(({ name }) => ({ name,
                run: `${program} ${name}`, timeout: '30s',
                'continue-on-error': true }))] }, { runtime });

    for (const step of (result && result.steps) || []) {
        const said = log.match(new RegExp(`attack ${step.name}: (.*)`));
        // Who fills memory may be the one that the kernel kills.
        got.set(step.name, step.reason === 'out_of_memory' &&
            step.exit_code !== GOT_IN ? [HELD, 'out_of_memory'] :
            [step.exit_code, said ? said[1] : step.message || '']);
    }
    if (!result || result.reason === 'sandbox_failed' ||
        result.steps.length < attacks.length)
        console.log(`#! ${runtime.name} ${runtime.words}: the job itself: ` +
            `${result ? result.message : log.slice(-1500)}\n${rig.complaints()}`);
    return got;
}

function chunks(all, most) {
    const out = [];
    for (let i = 0; i < all.length; i += most)
        out.push(all.slice(i, i + most));
    return out;
}

// `make` at most two at a time, of each.
async function two(all, make) {
    const queue = [...all];
    const work = async () => {
        while (queue.length)
            await make(queue.shift());
    };
    await Promise.all([work(), work()]);
}

function judge(attack, runtime, contained, weak, scene) {
    const [code, said] = contained.get(attack.name) || [null, 'no step'];
    const held = code === HELD ? said.replace('held by ', '') : null;
    let shown, why = attack.why;

    if (attack.shown) {
        const [open, says] = weak.get(attack.name) || [null, 'no step'];
        shown = open === GOT_IN ? true : null;
        why = shown ? '' : `${open} ${says}`;
        if (!shown && (ABSENT.test(says) || (/ENOENT/.test(says) &&
            /^(proc|device|cgroup)-/.test(attack.name)))) {
            shown = undefined;
            why = `not on this kernel (${says.replace('held by ', '')})`;
        } else if (!shown && runtime === 'docker' && attack.words === 'disk') {
            shown = undefined;
            why = 'berth mounts it once the container runs';
        } else if (!shown && RAISES.includes(attack.name) && !scene.mayRaise) {
            shown = undefined;
            why = 'root here has no CAP_SYS_RESOURCE';
        }
    }
    rig.record(runtime, attack.name, held,
        attack.words.replaceAll('+', ' '), shown, held === null ?
            `${code} ${said}` : why);
}

// The sets of words that a list of attacks takes.
const setsOf = (attacks) => [...new Set(attacks.filter(({ shown }) => shown)
    .map(({ words }) => words))];

async function main(runtime, attacks, scene, image) {
    const contained = new Map(), weak = new Map();
    const jobs = [
        ...chunks(attacks.filter(({ planted }) => !planted), STEPS_MAX)
            .map((some) => ['', some, contained]),
        ['plant', attacks.filter(({ planted }) => planted), contained],
        ...setsOf(attacks).map((words) =>
            [words, attacks.filter((a) => a.words === words), weak])];

    await two(jobs.filter(([, some]) => some.length),
        async ([words, some, into]) => {
            for (const [name, outcome] of await perform(some,
                { name: runtime, words }, scene, image))
                into.set(name, outcome);
        });
    for (const attack of attacks)
        judge(attack, runtime, contained, weak, scene);
}

module.exports = { list, main };
