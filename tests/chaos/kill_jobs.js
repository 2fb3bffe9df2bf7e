// tests/chaos/kill_jobs.js - jobs of all kinds, and what they are made from.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { execFileSync } = require('child_process');

const PACKAGE_FILES = 300;

const sandbox = (more) => ({
    instance_type: { cpu: 1, memory: '512MiB', disk: '256MiB', pids: 200 },
    ...more,
});

class World {
    static INSTALL = 1; // the number of a job that leaves all kinds of caches

    // Everything lies below `dir`.
    constructor(dir, dice) {
        this.dir = dir;
        this.dice = dice;
        this.repo = path.join(dir, 'repo');
        this.package = path.join(dir, 'package');
        this.commits = [];
    }

    git(...args) {
        return execFileSync('git', ['-C', this.repo, '-c', 'user.name=Test',
            '-c', 'user.email=test@example.org', ...args],
        { encoding: 'utf8' }).trim();
    }

    write(name, text, mode) {
        const file = path.join(this.repo, name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, text);
        if (mode)
            fs.chmodSync(file, mode);
    }

    async make() {
        fs.mkdirSync(this.repo);
        this.git('init', '-q', '-b', 'main');
        this.makePackage();
        for (let i = 0; i < 280; i++)
            this.write(`src/d${i % 7}/f${i}`, `${i}\n`.repeat(i % 90));
        this.write('run.sh', '#!/bin/sh\n', 0o755);
        fs.symlinkSync('src/d1', path.join(this.repo, 'link'));
        this.commit();
        this.server = http.createServer((request, response) =>
            response.end('from outside\n'));
        await new Promise((resolve) => {
            this.server.listen(0, '127.0.0.1', resolve);
        });
        this.port = this.server.address().port;
    }

    // `left`, which the project depends on by a file: no registry is asked.
    makePackage() {
        fs.mkdirSync(path.join(this.package, 'lib'), { recursive: true });
        fs.writeFileSync(path.join(this.package, 'package.json'),
            '{"name":"left","version":"1.0.0"}');
        fs.writeFileSync(path.join(this.package, 'index.js'),
            'module.exports = "left";');
        for (let i = 0; i < PACKAGE_FILES; i++)
            fs.writeFileSync(path.join(this.package, `lib/f${i}.js`),
                `exports.f = ${i};\n`.repeat(i % 50));
        const tgz = path.join(this.repo, 'left.tgz');
        execFileSync('tar', ['czf', tgz, '-C', this.dir, 'package']);
        const root = { name: 'app', version: '1.0.0',
            dependencies: { left: 'file:left.tgz' } };
        const integrity = 'sha512-' + crypto.createHash('sha512')
            .update(fs.readFileSync(tgz)).digest('base64');
        this.write('package.json', JSON.stringify(root));
        this.write('package-lock.json', JSON.stringify({
            name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true,
            packages: {
                '': root,
                'node_modules/left': { version: '1.0.0',
                    resolved: 'file:left.tgz', integrity },
            },
        }));
    }

    commit() {
        this.git('add', '-A');
        this.git('commit', '-q', '-m', `commit ${this.commits.length}`);
        this.commits.push(this.git('rev-parse', 'HEAD'));
    }

    // One more commit, with what trees can differ in: content, mode, kind, names.
    grow() {
        const n = this.commits.length;
        this.write(`src/d1/f${1 + 7 * (n % 40)}`, `changed ${n}\n`);
        this.git('rm', '-q', `src/d2/f${2 + 7 * (n % 40)}`);
        this.git('mv', `src/d3/f${3 + 7 * (n % 40)}`, `src/moved${n}`);
        this.write(`new/${n}/file`, `new in ${n}\n`, n % 2 ? 0o755 : 0o644);
        if (n === 3) {
            this.git('rm', '-q', 'link');
            this.write('link', 'a file by now\n');
        }
        this.commit();
    }

    close() {
        this.server.closeAllConnections();
        this.server.close();
    }

    // { id, state, reason, text }: the nth, and how it has to end
    job(id, n) {
        const kind = KINDS[n % KINDS.length];
        const pipeline = { name: kind.name, sandbox: sandbox({}),
            steps: kind.steps, ...kind.more?.(this) };
        return {
            id, state: kind.reason ? 'failed' : 'passed',
            reason: kind.reason || '',
            text: JSON.stringify({
                id, pipeline, repo: this.repo,
                commit: this.dice.pick(this.commits),
                report: { forge: 'chaos' },
            }),
        };
    }
}

const INSTALL = [
    { checkout: null },
    { install: 'npm' },
    { run: 'node -p \'require("left")\' && ' +
        `test "$(ls node_modules/left/lib | wc -l)" = ${PACKAGE_FILES}` },
];

const KINDS = [
    { name: 'tree', steps: [{ checkout: null },
        { run: ['test -z "$(git status --porcelain)"', 'test -x run.sh',
            'git fsck'] }] },
    { name: 'install', steps: INSTALL },
    { name: 'files', steps: [
        { write_file: { path: 'dist/a/f', content: 'text\n' } },
        { read_file: 'dist/a/f' },
        { run: 'for i in $(seq 100); do echo $i >dist/$i; done; sleep 1' },
        { artifacts: { paths: ['dist'], retention: '1h' } }] },
    { name: 'spoils', steps: [...INSTALL,
        { run: ['echo x >>node_modules/left/index.js',
            'rm -rf node_modules/left/lib .git/objects src',
            'echo x >>run.sh', 'chmod 700 new* || true', 'sleep 0.5'] }] },
    { name: 'background', steps: [
        { name: 'server', background: true,
            wait_for: { http: 'http://localhost:3000/', timeout: '60s' },
            run: 'exec node -e \'require("http").createServer((q, s) => ' +
                's.end("hello")).listen(3000, "localhost")\'' },
        { expose_port: 3000 },
        { run: 'sleep 1.5; (setsid sleep 300 &)' }] },
    { name: 'network', steps: [{ run: 'for i in 1 2 3; do ' +
        'curl -sS --noproxy "" "http://localhost:$PORT/" | grep outside; ' +
        'sleep 0.7; done' }],
    more: (world) => ({ env: { PORT: String(world.port) },
        sandbox: sandbox({ network: [`localhost:${world.port}`] }) }) },
    { name: 'memory', reason: 'out_of_memory',
        steps: [{ run: 'sleep 0.3; tail /dev/zero' }] },
    { name: 'output', steps: [{ run: 'yes "a line of a noisy test" | ' +
        'head -c 5000000; echo; echo the last line' }] },
    { name: 'warm', steps: [{ checkout: null }, { run: 'sleep 1' }],
        more: ({ dice }) => ({ sandbox: { instance_type:
            dice.pick(['standard-1', 'standard-2', 'basic']) } }) },
    { name: 'fails', reason: 'step_failed',
        steps: [{ run: '(setsid sleep 300 &); sleep 0.5; exit 3' }] },
];

module.exports = { World };
