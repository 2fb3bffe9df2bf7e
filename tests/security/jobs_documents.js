// tests/security/jobs_documents.js - pipelines that mean harm to who reads them.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const rig = require('./rig');
const { must } = require('./jobs');

const why = 'documents are checked before anything runs';
const REFUSED = 2;

async function refuse(text, name, options = {}) {
    const start = Date.now();
    const { status, log, result } = await rig.run(text, options);

    must(status === REFUSED || (result && result.reason === 'pipeline_invalid'),
        `${name}: exit ${status}: ${log.slice(0, 300)}`);
    must(Date.now() - start < 20000, `${name}: ${Date.now() - start} ms`);
    must(!/[\x00-\x08\x0b-\x1f\x7f]/.test(log), `${name}: ${JSON.stringify(log)}`);
    must(!/Sanitizer/.test(log), log);
    return log;
}

const step = (text) => `sandbox: { instance_type: lite }\nsteps:\n  - ${text}\n`;

async function aliasBomb() {
    let text = 'a: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 10; i++)
        text += `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(', ')}]\n`;
    await refuse(`${text}steps: *a9\n`, 'aliases');
    return 'too many aliases';
}

async function deep() {
    await refuse(`steps: ${'['.repeat(100000)}${']'.repeat(100000)}\n`, 'lists');
    await refuse(`steps: ${'{a: '.repeat(50000)}x${'}'.repeat(50000)}\n`, 'maps');
    return 'too deep';
}

async function huge() {
    await refuse(`name: ${'x'.repeat(30 << 20)}\nsteps: [{run: "true"}]\n`, 'name');
    await refuse(`steps:\n${'  - run: "true"\n'.repeat(200000)}`, 'steps');
    return 'too large';
}

async function controls() {
    await refuse('name: "a\\u001b]0;x\\u0007"\nsteps: [{run: "true"}]\n', 'ESC');
    await refuse('name: "a\\nb"\nsteps: [{run: "true"}]\n', 'two lines');
    await refuse('name: "a\\0b"\nsteps: [{run: "true"}]\n', 'NUL');
    await refuse('"a\\u001b]0;x\\u0007": 1\nsteps: [{run: "true"}]\n', 'a key');
    await refuse(step('{ run: "a\\0b" }'), 'a command');
    return 'refused, and not repeated';
}

async function paths() {
    for (const text of ['write_file: { path: ../x, content: x }',
        'write_file: { path: /etc/x, content: x }', 'read_file: ../../etc/shadow',
        'read_file: /etc/shadow', 'artifacts: ../../etc', 'artifacts: /etc',
        '{ run: "true", working-directory: ../../etc }',
        '{ run: "true", working-directory: /etc }',
        '{ run: "true", shell: "/bin/sh -c id" }',
        '{ run: "true", shell: ../sh }'])
        await refuse(step(text), text);
    return 'refused';
}

async function images() {
    for (const image of ['/', '/proc/1/root', '/proc/self/root', '/sys', '/dev',
        rig.state, `${rig.state}/..`, '/../', 'docker://evil.example.net/x',
        'docker://../../etc', 'docker://-x', 'docker://a@b/c:d e',
        'oci:/proc/1/root', 'relative/path']) {
        const { status, result } = await rig.run({ sandbox: { image,
            instance_type: 'lite' }, steps: [{ run: 'true' }] });
        must(status !== 0 && (!result || result.state !== 'passed'),
            `image ${image} was taken`);
    }
    return 'refused';
}

async function variables() {
    for (const name of ['A=B', '', 'A B', '1A', 'A\\nB'])
        await refuse(`env: { "${name}": x }\nsteps: [{run: "true"}]\n`, name);
    return 'refused';
}

// The agent and what starts it do not hear the job's environment.
async function preload() {
    const { result, log } = await rig.run({
        env: { LD_PRELOAD: '/workspace/x.so', LD_LIBRARY_PATH: '/workspace',
            BASH_ENV: '/workspace/x', PATH: '/workspace', IFS: 'x',
            GCONV_PATH: '/workspace', HOME: '/nowhere' },
        sandbox: { instance_type: 'lite' },
        steps: [{ name: 'writes', write_file: { path: 'x', content: 'echo in' } },
            { name: 'reads', read_file: 'x' }] });

    must(result && result.state === 'passed', log);
    return 'only commands have it';
}

async function numbers() {
    for (const text of ['{ cpu: -1 }', '{ memory: 99999999TB }', '{ pids: -5 }',
        '{ disk: 1e400 }', '{ cpu: .nan }', '{ memory: 0 }', 'enormous'])
        await refuse(`sandbox: { instance_type: ${text} }\n` +
            'steps: [{run: "true"}]\n', text);
    return 'refused';
}

module.exports = { attacks: [
    { name: 'yaml-alias-bomb', why, attack: aliasBomb },
    { name: 'yaml-deep', why, attack: deep },
    { name: 'yaml-huge', why, attack: huge },
    { name: 'yaml-controls', why, attack: controls },
    { name: 'document-paths', why, attack: paths },
    { name: 'document-images', why, attack: images },
    { name: 'document-variables', why, attack: variables },
    { name: 'document-numbers', why, attack: numbers },
    { name: 'hostile-environment', why, attack: preload },
] };
