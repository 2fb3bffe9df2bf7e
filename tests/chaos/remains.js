// tests/chaos/remains.js - what jobs leave on a host.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const KINDS = ['mnt', 'net', 'pid', 'ipc', 'uts', 'user', 'cgroup'];
// Below a state directory: what is there while jobs run, and no longer.
const PLACES = ['sandboxes', 'leases', 'spool', 'cache/staging', 'cache/trash'];

function lines(command, ...args) {
    try {
        return execFileSync(command, args,
            { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
            .split('\n').filter(Boolean);
    } catch (error) {
        return String(error.stdout || '').split('\n').filter(Boolean);
    }
}

function read(file) {
    try {
        return fs.readFileSync(file, 'utf8');
    } catch {
        return ''; // it ended meanwhile
    }
}

function link(file) {
    try {
        return fs.readlinkSync(file);
    } catch {
        return '';
    }
}

function list(dir) {
    try {
        return fs.readdirSync(dir);
    } catch {
        return [];
    }
}

const pids = () => list('/proc').filter((name) => /^\d+$/.test(name))
    .map(Number);

// { pid, name, parent, start, zombie } or null. A number may be another's one
// day; with the moment of the start it is nobody else's.
function process_(pid) {
    const text = read(`/proc/${pid}/stat`);
    const end = text.lastIndexOf(')');
    if (end < 0)
        return null;
    const rest = text.slice(end + 2).split(' ');
    return {
        pid, name: text.slice(text.indexOf('(') + 1, end), zombie: rest[0] === 'Z',
        parent: Number(rest[1]), start: rest[19],
    };
}

const children = (pid) => read(`/proc/${pid}/task/${pid}/children`)
    .split(' ').filter(Boolean).map(Number);

function descendants(pid) {
    return children(pid).flatMap((child) => [child, ...descendants(child)]);
}

// The number that a process has in its own pid namespace.
function innerPid(pid) {
    const match = /^NSpid:(.*)$/m.exec(read(`/proc/${pid}/status`));
    return match ? match[1].trim().split('\t') : [];
}

const namespaces = (pid) =>
    KINDS.map((kind) => link(`/proc/${pid}/ns/${kind}`)).filter(Boolean);

// All mounts that anybody has, by mount namespace once.
function mounts() {
    const seen = new Set();
    const all = [];
    for (const pid of pids()) {
        const space = link(`/proc/${pid}/ns/mnt`);
        if (!space || seen.has(space))
            continue;
        seen.add(space);
        all.push(...read(`/proc/${pid}/mountinfo`).split('\n'));
    }
    return all;
}

const cgroups = () => lines('find', '/sys/fs/cgroup', '-type', 'd');

// Whose command line, place or cgroup has one of the words.
function processesOf(words, except) {
    const found = [];
    for (const pid of pids()) {
        if (pid === process.pid || except.has(pid) || process_(pid)?.zombie)
            continue;
        const said = [read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '),
            link(`/proc/${pid}/cwd`), link(`/proc/${pid}/root`),
            read(`/proc/${pid}/cgroup`)];
        if (said.some((text) => words.some((word) => text.includes(word))))
            found.push(`process ${pid}: ${said[0].slice(0, 200)}`);
    }
    return found;
}

// Processes, mounts, loop devices, cgroups and files of sandboxes below `dir`,
// where each worker has its state; `ids` are of jobs, or what theirs begin with.
function traces(dir, ids, except = new Set()) {
    const found = processesOf([`${dir}/`, ...ids], except);
    found.push(...mounts().filter((line) => line.includes(`${dir}/`))
        .map((line) => `mount ${line}`));
    found.push(...lines('losetup', '-a')
        .filter((line) => line.includes(path.basename(dir)))
        .map((line) => `loop device ${line}`));
    found.push(...cgroups().filter((line) => ids.some((id) => line.includes(id)))
        .map((line) => `cgroup ${line}`));
    for (const state of list(dir))
        for (const place of PLACES)
            found.push(...list(path.join(dir, state, place))
                .map((name) => path.join(dir, state, place, name)));
    return found;
}

// What a worker and its jobs consist of just now.
class Photograph {
    constructor(worker, state) {
        const host = new Set(namespaces(process.pid));
        const own = [worker, ...descendants(worker)];
        // The kernel uses their numbers again, so who is in one now is noted.
        const spaces = new Set(own.flatMap(namespaces)
            .filter((space) => !host.has(space)));
        const within = pids().filter((pid) =>
            namespaces(pid).some((space) => spaces.has(space)));
        this.state = state;
        this.processes = [...new Set([...own, ...within])].map(process_)
            .filter(Boolean);
        this.files = PLACES.flatMap((place) =>
            list(path.join(state, place)).map((name) => path.join(place, name)));
        this.sandboxes = list(path.join(state, 'sandboxes'));
    }

    // Which of it there still is.
    left() {
        const found = this.processes.filter(({ pid, start }) => {
            const now = process_(pid);
            return now && now.start === start && !now.zombie;
        }).map(({ pid, name }) => `process ${pid} (${name}), in ` +
            `${namespaces(pid).join(' ')}`);
        found.push(...this.files.filter((name) =>
            fs.existsSync(path.join(this.state, name))));
        const names = this.sandboxes.map((name) => `/${name}`);
        const is = (line) => names.some((name) =>
            line.endsWith(name) || line.includes(`${name}/`));
        if (names.length) {
            found.push(...cgroups().filter(is).map((line) => `cgroup ${line}`));
            found.push(...mounts().filter((line) =>
                line.includes(this.state) && line.split(' ').some(is))
                .map((line) => `mount ${line}`));
        }
        return found;
    }
}

module.exports = {
    Photograph, children, descendants, innerPid, lines, process_, traces,
};
