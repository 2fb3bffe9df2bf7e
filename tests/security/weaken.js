#!/usr/bin/env node
// tests/security/weaken.js - an OCI runtime's bundle, less some protections.
// SPDX-License-Identifier: Apache-2.0
//
// weaken.js WORDS RUNTIME-ARGUMENT…: edits the config.json of the bundle that
// the runtime is about to run. WORDS is what tests/security/attack.h calls
// `without`, with a `+` between two; `plant` takes nothing away, and puts files
// inside that the test has made. The test alone calls this, as a runtime of the
// sandbox's; the product has no such switch.
'use strict';
const fs = require('fs');
const path = require('path');

const settings = JSON.parse(fs.readFileSync(
    path.join(process.env.ATTACK_WORK || path.resolve(process.argv[1], '..'),
        'settings.json')));
const words = process.argv[2].split('+');
const args = process.argv.slice(3);

function bundleOf() {
    if (!args.some((word) => word === 'run' || word === 'create'))
        return null;
    for (let i = 0; i < args.length; i++) {
        if (args[i].startsWith('--bundle='))
            return args[i].slice(9);
        if (args[i] === '--bundle' || args[i] === '-b')
            return args[i + 1];
    }
    return null;
}

const bundle = bundleOf();
if (!bundle)
    process.exit(0);
const file = path.join(bundle, 'config.json');
const config = JSON.parse(fs.readFileSync(file));
const root = path.resolve(bundle, config.root.path);

// ---- helpers ----------------------------------------------------------------

// A place in the tree, which the runtime may not make in another's directory.
function place(inside, isFile) {
    const target = path.join(root, inside);
    fs.mkdirSync(isFile ? path.dirname(target) : target, { recursive: true });
    if (isFile && !fs.existsSync(target))
        fs.writeFileSync(target, '');
}

function bind(source, inside, options = []) {
    if (!fs.existsSync(source))
        return;
    if (!inside.startsWith('/dev/'))
        place(inside, !fs.statSync(source).isDirectory());
    config.mounts.push({ destination: inside, type: 'bind', source,
        options: ['rbind', 'rprivate', ...options] });
}

function mountOf(inside) {
    return config.mounts.find((mount) => mount.destination === inside);
}

function dropNamespace(type) {
    config.linux.namespaces = config.linux.namespaces.filter((namespace) =>
        namespace.type !== type);
}

// A call that is not made, and says that it was: what the agent gives up by it
// is not given up.
function pretend(name, ...args_) {
    return { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: 0,
        args: args_.map(([index, value]) =>
            ({ index, value, op: 'SCMP_CMP_EQ' })) };
}

const PR_SET_DUMPABLE = 4, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24,
    PR_SET_NO_NEW_PRIVS = 38, CAP_KILL = 5, SIGKILL = 9, ESRCH = 3;
const CAPABILITIES = ('CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL ' +
    'SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
    'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT ' +
    'SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME ' +
    'SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP ' +
    'MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ ' +
    'PERFMON BPF CHECKPOINT_RESTORE').split(' ').map((name) => `CAP_${name}`);

// Of the groups that are on v1 a hierarchy each, ours no more.
function leaveCgroup(controller) {
    const own = config.linux.cgroupsPath;

    if (own) {
        config.linux.cgroupsPath = `${settings.cgroup}/${path.basename(own)}`;
        delete (config.linux.resources || {})[controller];
        return;
    }
    for (const at of [`/sys/fs/cgroup/${controller}/cgroup.procs`,
        '/sys/fs/cgroup/cgroup.procs']) {
        if (fs.existsSync(at)) {
            fs.writeFileSync(at, String(process.ppid));
            return;
        }
    }
}

// ---- what can be taken away ---------------------------------------------------

const weaken = {
    plant() {
        bind(settings.plant, '/.attack', ['nodev']);
    },
    seccomp() {
        delete config.linux.seccomp;
    },
    // Commands are root of the sandbox's namespace, with all capabilities.
    root() {
        const all = {};
        for (const set of ['bounding', 'effective', 'permitted', 'inheritable'])
            all[set] = CAPABILITIES;
        config.process.capabilities = { ...all, ambient: [] };
        config.process.noNewPrivileges = false;
        config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW',
            architectures: (config.linux.seccomp || {}).architectures,
            syscalls: [pretend('capset'), pretend('setresuid'),
                pretend('setresgid'),
                pretend('prctl', [0, PR_SET_DUMPABLE]),
                pretend('prctl', [0, PR_CAPBSET_DROP]),
                pretend('prctl', [0, PR_CAPBSET_READ], [1, CAP_KILL]),
                pretend('prctl', [0, PR_SET_NO_NEW_PRIVS])] };
        config.process.oomScoreAdj = undefined;
    },
    'no-new-privileges'() {
        const calls = config.linux.seccomp.syscalls;
        for (const call of calls)
            call.names = call.names.filter((name) => name !== 'prctl');
        calls.push(pretend('prctl', [0, PR_SET_NO_NEW_PRIVS]),
            { names: ['prctl'], action: 'SCMP_ACT_ALLOW', args: [
                { index: 0, value: PR_SET_NO_NEW_PRIVS, op: 'SCMP_CMP_NE' }] });
        config.process.noNewPrivileges = false;
        weaken.plant();
    },
    // A namespace of groups, which Docker makes, would be in the way.
    userns() {
        dropNamespace('user');
        dropNamespace('cgroup');
        delete config.linux.uidMappings;
        delete config.linux.gidMappings;
    },
    // A /sys shows the devices of one's own namespace only, and Docker's hook
    // would set up the one that the process is in.
    net() {
        dropNamespace('network');
        delete config.linux.sysctl;
        delete config.hooks;
        config.mounts = config.mounts.filter(({ type }) =>
            type !== 'sysfs' && type !== 'cgroup');
    },
    // A file system of message queues is of one's own namespace only.
    ipc() {
        dropNamespace('ipc');
        config.mounts = config.mounts.filter(({ type }) => type !== 'mqueue');
    },
    uts() {
        dropNamespace('uts');
        delete config.hostname;
    },
    // The agent is not to be among those that it kills, nor the test.
    pid() {
        const calls = config.linux.seccomp.syscalls;
        dropNamespace('pid');
        weaken.procfs();
        for (const call of calls)
            call.names = call.names.filter((name) => name !== 'kill');
        calls.push({ names: ['kill'], action: 'SCMP_ACT_ERRNO', errnoRet: ESRCH,
            args: [{ index: 1, value: SIGKILL, op: 'SCMP_CMP_EQ' }] },
        { names: ['kill'], action: 'SCMP_ACT_ALLOW', args: [
            { index: 1, value: SIGKILL, op: 'SCMP_CMP_NE' }] });
    },
    procfs() {
        Object.assign(mountOf('/proc'), { type: 'bind', source: '/proc',
            options: ['rbind', 'nosuid', 'noexec', 'nodev'] });
    },
    masks() {
        config.linux.maskedPaths = [];
    },
    'readonly-paths'() {
        config.linux.readonlyPaths = [];
    },
    rootfs() {
        config.root.readonly = false;
    },
    sysfs() {
        config.linux.maskedPaths = config.linux.maskedPaths.filter((name) =>
            name !== '/sys');
        config.mounts = config.mounts.filter((mount) =>
            !mount.destination.startsWith('/sys'));
        bind('/sys', '/sys');
    },
    binds() {
        for (const [source, inside] of settings.binds)
            bind(source, inside);
    },
    devices() {
        for (const name of ['mem', 'kmsg', 'loop0', 'loop-control', 'kvm',
            'fuse', 'net/tun', 'tty0', 'cpu_dma_latency'])
            bind(`/dev/${name}`, `/dev/${name}`);
        // Those that make groups themselves refuse devices by them, too.
        if (config.linux.cgroupsPath)
            config.linux.resources = { ...config.linux.resources,
                devices: [{ allow: true, access: 'rwm' }] };
    },
    nodev() {
        bind(settings.plantWithDevices, '/.attack');
    },
    rlimits() {
        config.process.rlimits = [{ type: 'RLIMIT_CORE', soft: 2 ** 40,
            hard: 2 ** 40 }];
        if (settings.mayRaise)
            config.process.rlimits.push({ type: 'RLIMIT_NOFILE',
                soft: settings.files + 1000, hard: settings.files + 1000 });
    },
    shm() {
        const shm = mountOf('/dev/shm');
        shm.options = shm.options.filter((option) =>
            !option.startsWith('size=')).concat('size=1g');
    },
    disk() {
        const workspace = mountOf('/workspace');
        if (workspace)
            workspace.source = settings.disk;
        else
            bind(settings.disk, '/workspace');
    },
    'memory-limit': () => leaveCgroup('memory'),
    'pids-limit': () => leaveCgroup('pids'),
    'cpu-limit': () => leaveCgroup('cpu'),
};

for (const word of words)
    weaken[word]();
if (!words.some((word) => word === 'plant' || word === 'nodev' ||
    word === 'no-new-privileges'))
    weaken.plant();
fs.writeFileSync(file, JSON.stringify(config));
