// tests/security/jobs_checkout.js - repositories that mean harm.
// SPDX-License-Identifier: Apache-2.0
//
// Trees that git itself would not make: tests/integration/checkout_hostile.
'use strict';
const fs = require('fs');
const path = require('path');
const rig = require('./rig');
const { job, script, must, trap, isEmpty } = require('./jobs');

const why = 'it is checked out outside, by a process without rights';
const CHECKOUT = { name: 'checkout', checkout: null };
const DEEP = { name: 'checkout', checkout: { submodules: true } };

function repoWith(files, more = () => {}, stage = () => {}) {
    return rig.makeRepo((dir) => {
        for (const [name, text] of Object.entries(files)) {
            fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
            fs.writeFileSync(path.join(dir, name), text, { mode: 0o755 });
        }
        more(dir);
    }, stage);
}

// Nothing may have run: it would have left something in the trap.
async function quiet(scene, name, repo, steps, check = () => {}) {
    const done = await job(steps, { repo });

    must(isEmpty(scene[name]), 'a command of the repository\'s ran outside');
    must(!done.log.includes(rig.token), 'it read the host\'s file');
    check(done);
    return done;
}

const touch = (dir) => `#!/bin/sh\ntouch '${dir}/ran'\n`;

async function hooks(scene) {
    const dir = scene.hooks = trap(scene, 'hooks');
    const repo = repoWith({ 'hooks/post-checkout': touch(dir), f: 'x' },
        (at) => {
            for (const hook of ['post-checkout', 'pre-checkout', 'post-merge',
                'reference-transaction', 'fsmonitor-watchman', 'pre-receive'])
                fs.writeFileSync(`${at}/.git/hooks/${hook}`, touch(dir),
                    { mode: 0o755 });
            rig.git(at, 'config', 'core.hooksPath', `${at}/hooks`);
        });

    await quiet(scene, 'hooks', repo, [CHECKOUT, { name: 'git',
        run: 'git status; git checkout -q HEAD' }]);
    return 'none ran';
}

// What git would run, set up in the repository once it is committed.
function configured(repo, settings) {
    for (const [key, value] of settings)
        rig.git(repo, 'config', key, value);
    return repo;
}

async function configuration(scene) {
    const dir = scene.configuration = trap(scene, 'configuration');
    const repo = repoWith({ f: 'x', run: touch(dir) });
    const run = `${repo}/run`;

    configured(repo, [['core.fsmonitor', run], ['core.sshCommand', run],
        ['uploadpack.packObjectsHook', run], ['core.gitProxy', run],
        ['core.alternateRefsCommand', run], ['diff.external', run],
        ['core.pager', run], ['credential.helper', `!${run}`],
        ['gpg.program', run], ['include.path', `${repo}/none`]]);
    await quiet(scene, 'configuration', repo, [CHECKOUT]);
    return 'none ran';
}

async function attributes(scene) {
    const dir = scene.attributes = trap(scene, 'attributes');
    const repo = repoWith({ f: 'x', run: touch(dir), '.gitattributes':
        '* filter=x diff=x merge=x\nrun ident\n',
    '.lfsconfig': `[lfs]\n url = file://${dir}\n` });

    configured(repo, [['filter.x.smudge', `${repo}/run`],
        ['filter.x.process', `${repo}/run`], ['filter.x.required', 'true']]);
    await quiet(scene, 'attributes', repo, [CHECKOUT]);
    return 'no filter ran';
}

const gitlink = (at, name) => rig.git(at, 'update-index', '--add', '--cacheinfo',
    `160000,${'1'.repeat(40)},${name}`);

function moduleRepo(url, where = 'sub', name = 'sub') {
    return repoWith({ '.gitmodules': `[submodule "${name}"]\n\tpath = ` +
        `${where}\n\turl = ${url}\n` }, undefined, (at) => gitlink(at, 'sub'));
}

async function modulePath(scene) {
    const secret = repoWith({ secret: rig.token });
    const texts = [];

    for (const url of [secret, `file://${secret}`, `../${path.basename(secret)}`]) {
        const { steps, log } = await job([DEEP], { repo: moduleRepo(url) });
        must(steps.checkout.outcome === 'failed', `${url}: ${log}`);
        texts.push(steps.checkout.message);
    }
    must(scene && texts.length === 3, texts);
    return `refused: ${texts[0].slice(0, 40)}`;
}

async function moduleCommand(scene) {
    const dir = scene.moduleCommand = trap(scene, 'module-command');

    for (const url of [`ext::sh -c touch% ${dir}/ran`, `-u./run`,
        `ssh://-oProxyCommand=touch%20${dir}%2Fran/x`,
        `git@-oProxyCommand=touch ${dir}/ran:x`, `--upload-pack=${dir}`]) {
        const { steps } = await job([DEEP], { repo: moduleRepo(`"${url}"`) });
        must(steps.checkout.outcome === 'failed', `${url} was taken`);
        must(isEmpty(dir), `${url} ran`);
    }
    return 'refused';
}

async function moduleName(scene) {
    const dir = trap(scene, 'module-name');

    for (const [where, name] of [['sub', '../../../../x'], [`${dir}/x`, 'x'],
        ['../../x', 'x'], ['.git/hooks', 'x']]) {
        const { steps, log } = await job([DEEP, script('after', 'ls -R ..')],
            { repo: moduleRepo('https://localhost:1/x.git', where, name) });
        must(isEmpty(dir) && steps.checkout.outcome !== 'passed', log);
    }
    return 'refused';
}

async function linkInTree(scene) {
    const dir = trap(scene, 'link-in-tree');
    const repo = repoWith({}, (at) => {
        fs.symlinkSync(scene.env.ATTACK_FILE, `${at}/secret`);
        fs.symlinkSync(dir, `${at}/dir`);
    });
    const { log, steps } = await job([CHECKOUT,
        { name: 'reads', read_file: 'secret', 'continue-on-error': true },
        { name: 'writes', write_file: { path: 'dir/f', content: 'x' },
            'continue-on-error': true },
        { name: 'keeps', artifacts: 'secret', 'continue-on-error': true }],
    { repo });

    must(!log.includes(rig.token) && isEmpty(dir), log);
    must(['reads', 'writes', 'keeps'].every((name) =>
        steps[name].outcome === 'failed'), steps);
    return 'links stay links, and are not followed';
}

// The mirror that a job's objects are read from is every job's.
async function mirror() {
    const repo = repoWith({ f: 'good' });
    const { log } = await job([CHECKOUT, script('poisons', `set +e
        at=$(cat .git/objects/info/alternates)
        test -d "$at" && echo found it
        touch "$at/attack" && echo WROTE
        find "$at" -type f | while read -r f; do
            chmod u+w "$f" 2>/dev/null; (echo x >>"$f") 2>/dev/null && echo WROTE
        done; true`)], { repo });
    const next = await job([CHECKOUT, { name: 'whole',
        run: 'test "$(cat f)" = good; git fsck --full' }], { repo });

    must(/found it/.test(log) && !/WROTE/.test(log), log);
    must(next.steps.whole.outcome === 'passed', next.log);
    return 'EROFS';
}

async function options(scene) {
    const dir = trap(scene, 'options');

    for (const args of [['--ref', `--upload-pack=touch ${dir}/ran`],
        ['--commit', '--output=/tmp/x'], ['--ref', 'refs/heads/../../x'],
        ['--repo', `ext::sh -c touch% ${dir}/ran`],
        ['--repo', `ssh://-oProxyCommand=touch%20${dir}%2Fran/x`]]) {
        const { status } = await rig.run({ steps: [CHECKOUT] }, { args });
        must(status !== 0 && isEmpty(dir), `${args} was taken`);
    }
    return 'refused';
}

module.exports = { attacks: [
    { name: 'checkout-hooks', why, attack: hooks },
    { name: 'checkout-configuration', why, attack: configuration },
    { name: 'checkout-attributes', why, attack: attributes },
    { name: 'submodule-host-path', why, attack: modulePath },
    { name: 'submodule-command', why, attack: moduleCommand },
    { name: 'submodule-names', why, attack: moduleName },
    { name: 'checkout-links', why, attack: linkInTree },
    { name: 'mirror-poisoning', why, attack: mirror },
    { name: 'checkout-options', why, attack: options },
] };
