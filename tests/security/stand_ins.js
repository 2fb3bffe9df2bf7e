// tests/security/stand_ins.js - a host to attack: files, processes, servers.
// SPDX-License-Identifier: Apache-2.0
//
// All of it is of the test's own namespaces (process, network, mounts, IPC,
// names) and its own directory. Addresses are those of the loopback there, with
// no way out, so that nothing is sent to whoever has them elsewhere.
'use strict';
const { execFileSync, spawn, spawnSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const world = require('../integration/gateway_world');
const rig = require('./rig');

// Numbers that no process of a sandbox has.
const FIRST_PID = 30000;
const METADATA_6 = 'fd00:ec2::254';
const children = [];

const say = (command, ...args) => execFileSync(command, args).toString();

function start(command, args, options = {}) {
    const child = spawn(command, args, { stdio: 'ignore', ...options });
    children.push(child);
    return child;
}

const listening = (...where) => new Promise((done) => {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end();
    });
    server.listen(...where, () => done(server));
});

function makeFiles() {
    const host = path.join(rig.work, 'host');
    const files = { secret: null, shadow: '/etc/shadow',
        key: '/home/admin/.ssh/id_ed25519', host_key: '/etc/ssh/ssh_host_rsa_key',
        aws: '/home/admin/.aws/credentials' };
    const binds = [[host, host], [rig.state, rig.state],
        [path.join(host, 'docker.sock'), '/run/docker.sock']];

    fs.mkdirSync(host);
    for (const [name, inside] of Object.entries(files)) {
        fs.writeFileSync(path.join(host, name), rig.token);
        if (inside)
            binds.push([path.join(host, name), inside]);
    }
    return { host, binds };
}

function makePlants() {
    const plant = path.join(rig.work, 'plant');
    const setuid = path.join(plant, 'setuid');

    fs.mkdirSync(plant);
    fs.copyFileSync(path.resolve(rig.berth, '../../tests/security/attack'),
        path.join(plant, 'attack'));
    say('mknod', '-m', '666', path.join(plant, 'device'), 'c', '1', '3');
    fs.copyFileSync('/usr/bin/id', setuid);
    fs.chownSync(setuid, rig.SANDBOX_ROOT, rig.SANDBOX_ROOT);
    fs.chmodSync(setuid, 0o4755);
    // Of this mount and of the one inside: some crun do not apply the flag to
    // what they bind, others take it away where it is not asked for.
    fs.mkdirSync(`${plant}-nodev`);
    say('mount', '--bind', plant, `${plant}-nodev`);
    say('mount', '-o', 'remount,bind,nodev', `${plant}-nodev`);
    return { plant: `${plant}-nodev`, plantWithDevices: plant };
}

// ipcmk says the number, ipcs the key.
function ipcKey(option, list) {
    const id = say('ipcmk', ...option, '-p', '0666').match(/(\d+)/)[1];
    const line = say('ipcs', list).split('\n').find((text) =>
        text.split(/\s+/)[1] === id);
    return String(parseInt(line.split(/\s+/)[0], 16) | 0);
}

async function makeProcess() {
    fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(FIRST_PID));
    return start('setpriv', [`--reuid=${rig.SANDBOX_USER}`, '--clear-groups',
        'bash', '-c', `exec -a ${rig.token} sleep 3000`]).pid;
}

// Root of a container may lack CAP_SYS_RESOURCE.
function mayRaise() {
    const text = fs.readFileSync('/proc/self/status', 'latin1');

    return (BigInt('0x' + text.match(/CapEff:\t(\w+)/)[1]) >> 24n & 1n) === 1n;
}

// Gives the environment of attacks.
async function make() {
    const facts = await world.make(rig.work);
    const { host, binds } = makeFiles();
    const disk = path.join(rig.work, 'disk');

    execFileSync('ip', ['-6', 'addr', 'add', `${METADATA_6}/128`, 'dev', 'lo',
        'nodad']);
    await listening(80, METADATA_6);
    start('python3', ['-c', 'import socket, sys, time\n' +
        's = socket.socket(socket.AF_UNIX)\ns.bind("\\0" + sys.argv[1])\n' +
        's.listen()\ntime.sleep(3000)', rig.token]);
    const docker = await listening(path.join(host, 'docker.sock'));
    fs.chmodSync(path.join(host, 'docker.sock'), 0o666);
    const local = await listening(0, '127.0.0.1');
    say('hostname', rig.token.slice(0, 60));
    fs.mkdirSync(disk);
    fs.chownSync(disk, rig.SANDBOX_USER, rig.SANDBOX_USER);
    const files = Math.min(65536,
        Number(say('bash', '-c', 'ulimit -Hn').trim()) || 65536);

    fs.writeFileSync(path.join(rig.work, 'settings.json'), JSON.stringify({
        ...makePlants(), binds, disk, files, mayRaise: mayRaise(),
        cgroup: `/berth-attack-${rig.token}` }));
    const socket = path.join(rig.work, 'redis.sock');
    start('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '',
        '--dir', rig.work]);
    for (let i = 0; i < 300 && !fs.existsSync(socket); i++)
        await new Promise((done) => setTimeout(done, 20));
    process.env.BERTH_REDIS = `unix://${socket}`;
    return { facts, docker, host, mayRaise: mayRaise(), env: {
        ATTACK_TOKEN: rig.token, ATTACK_FILE: path.join(host, 'secret'),
        ATTACK_STATE: rig.state, ATTACK_PID: String(await makeProcess()),
        ATTACK_SHM_KEY: ipcKey(['-M', '4096'], '-m'),
        ATTACK_MSG_KEY: ipcKey(['-Q'], '-q'), ATTACK_HOSTNAME: os.hostname(),
        ATTACK_PORT: String(local.address().port),
        ATTACK_FILES: String(files) } };
}

// Groups that a runtime made where the test sent it.
function sweepCgroups() {
    const top = '/sys/fs/cgroup';

    for (const name of ['', ...fs.readdirSync(top)]) {
        const dir = path.join(top, name, `berth-attack-${rig.token}`);
        if (fs.existsSync(dir))
            execFileSync('find', [dir, '-depth', '-type', 'd', '-exec', 'rmdir',
                '{}', '+'], { stdio: 'ignore' });
    }
}

// What jobs left running, mounted or lying about; null, and told, if anything.
function leftovers() {
    const mine = [...children.map(({ pid }) => String(pid)),
        String(process.pid)];
    const found = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) &&
        !mine.includes(name)).filter((pid) => {
        try {
            return fs.readFileSync(`/proc/${pid}/status`, 'latin1')
                .includes(`Uid:\t${rig.SANDBOX_USER}`) ||
                fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1')
                    .includes(rig.state);
        } catch {
            return false;
        }
    });

    found.push(...fs.readFileSync('/proc/self/mountinfo', 'latin1').split('\n')
        .filter((line) => line.includes(rig.state)));
    found.push(...say('losetup', '-a').split('\n').filter((line) =>
        line.includes(rig.state)));
    const boxes = path.join(rig.state, 'sandboxes');
    if (fs.existsSync(boxes))
        found.push(...fs.readdirSync(boxes));
    if (found.length)
        console.log(`#! left behind: ${found.join('\n')}`);
    return found.length ? null : 'removed with its job';
}

function unmake() {
    for (const child of children)
        child.kill('SIGKILL');
    try {
        sweepCgroups();
    } catch { /* somebody is still in one */ }
    for (const at of ['/etc/resolv.conf', '/etc/hosts',
        path.join(rig.work, 'plant-nodev')])
        spawnSync('umount', [at], { stdio: 'ignore' });
    fs.rmSync(rig.work, { recursive: true, force: true });
}

module.exports = { make, leftovers, unmake };
