#!/usr/bin/env node
// tests/security/run.js - hostile programs and jobs against sandboxes.
// SPDX-License-Identifier: Apache-2.0
//
// SECURITY_RUNTIMES: crun, runc, docker; which to try (crun runc)
// ATTACKS:           patterns of names, only those (* is anything)
//
// Each attack has to be held, and, where that harms nobody, to get in once its
// protection is taken away, by weaken.js. The last lines are a table; the exit
// status is 0 only if all of it is as it should be.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

if (!process.env.ATTACK_INSIDE) {
    if (process.getuid() !== 0) {
        console.log('security: as root only: it makes namespaces');
        process.exit(1);
    }
    const inside = spawnSync('unshare', ['--mount', '--net', '--pid', '--fork',
        '--uts', '--ipc', '--mount-proc', '--kill-child', '--',
        process.execPath, __filename], { stdio: 'inherit',
        env: { ...process.env, ATTACK_INSIDE: '1' } });
    process.exit(inside.status === null ? 1 : inside.status);
}

const rig = require('./rig');
const standIns = require('./stand_ins');
const programs = require('./programs');
const jobs = require('./jobs');

const patterns = (process.env.ATTACKS || '*').split(/[\s,]+/).filter(Boolean)
    .map((text) => new RegExp(`^${text.replaceAll('*', '.*')}$`));
const wanted = (name) => patterns.some((pattern) => pattern.test(name));
const runtimes = (process.env.SECURITY_RUNTIMES || 'crun runc')
    .split(/\s+/).filter(Boolean);

// The page that lists protections has all of them.
function checkPage() {
    const page = fs.readFileSync(path.join(rig.root, 'docs/sandbox.md'), 'utf8');
    const names = ['nothing-left', ...programs.list().concat(jobs.all())
        .map(({ name }) => name)];
    const missing = names.filter((name) => !page.includes(`\`${name}\``));
    const known = new Set(names);
    const unknown = [...page.matchAll(/^\|[^|]*\|(.*)\|$/gm)]
        .flatMap(([, cell]) => [...cell.matchAll(/`([a-z0-9-]+)`/g)])
        .map(([, name]) => name).filter((name) => !known.has(name));

    for (const name of [...missing, ...unknown])
        console.log(`#! docs/sandbox.md: ${name} ` +
            (known.has(name) ? 'is missing' : 'is no attack'));
    return missing.length + unknown.length === 0;
}

async function main() {
    if (!checkPage())
        return 1;
    const scene = await standIns.make();
    const attacks = programs.list().filter(({ name }) => wanted(name));

    for (const runtime of runtimes) {
        const docker = runtime === 'docker';
        if (docker)
            rig.dockerUp();
        await programs.main(runtime, attacks, scene,
            docker ? 'docker://berth-test' : undefined);
        if (docker)
            rig.dockerDown();
    }
    await jobs.main(wanted, scene);
    rig.record('jobs', 'nothing-left', standIns.leftovers(), '', undefined,
        'it is looked for behind all others');
    const { names, bad } = rig.table();
    return names > 1 && bad.length === 0 ? 0 : 1; // nothing-left is always one
}

let status = 1;
main().then((code) => { status = code; }, (error) => console.log(error))
    .finally(() => {
        rig.dockerDown();
        standIns.unmake();
        process.exit(status);
    });
