// tests/security/jobs_secrets.js - at the secrets of another step.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const rig = require('./rig');
const { job, script, must } = require('./jobs');

const why = 'a secret is there for its step, no longer';
// The word is in two parts wherever a job has it, so that it finds no copy of
// its own; the value is the stand-in's alone.
const HALVES = ['Zebra', `Crossing${process.pid}`];
const VALUE = `key-${HALVES.join('')}-end`;

function withSecret() {
    const file = path.join(rig.work, 'value');

    if (!fs.existsSync(file))
        fs.writeFileSync(file, VALUE, { mode: 0o600 });
    return { args: ['--secret', `KEY=${file}`] };
}

const SEARCH = `
    word=$(printf %s ${HALVES.join(' ')})
    grep -rlsa "$word" /proc/[0-9]*/environ /proc/[0-9]*/cmdline /run /tmp \\
        /var/tmp /dev/shm . ~`;
const has = (more) => ({ secrets: [{ name: 'KEY', env: 'KEY' },
    { name: 'KEY', file: 'key' }], shell: 'bash', ...more });

function keptFrom({ log, result }) {
    must(!log.includes(VALUE) && !JSON.stringify(result).includes(VALUE),
        'it is in the log or the result');
}

const LURK = `set +e; while :; do ${SEARCH.replaceAll('\'', '"')} >>/workspace/seen
    done`;

async function before() {
    const uses = has({ name: 'uses', run: 'test -n "$KEY" && sleep 1' });
    const done = await job([
        script('lurks', `(trap "" TERM HUP INT; setsid bash -c '${LURK}' &
            ) &>/dev/null; sleep 0.3`),
        uses, script('looks', '! test -s seen')], withSecret());
    // What SECURITY.md says of steps beside each other; it could see it, then.
    const beside = await job([{ name: 'lurks', background: true, shell: 'bash',
        run: LURK }, uses, script('looks', 'test -s seen')], withSecret());

    must(done.steps.uses.outcome === 'passed', done.steps.uses);
    must(done.steps.looks.outcome === 'passed', 'it was seen');
    must(beside.steps.looks.outcome === 'passed', beside.log);
    keptFrom(done);
    return 'killed with its own step';
}

async function after() {
    const done = await job([
        has({ name: 'uses', run: `test "$KEY" = "$(cat /run/berth/secrets/key)"
            (trap "" TERM HUP INT; setsid setsid sleep 97 &) &>/dev/null
            (exec 9</run/berth/secrets/key; setsid sleep 98 &) &>/dev/null` }),
        script('looks', `${SEARCH} && exit 1
            test -z "$KEY" && test -z "$(ls -A /run/berth/secrets)"`)],
    withSecret());

    must(done.steps.uses.outcome === 'passed', done.log);
    must(done.steps.looks.outcome === 'passed', done.log);
    keptFrom(done);
    return 'gone with the step, and with all that had it';
}

// A place of one's own under the name where files of secrets will be.
async function planted() {
    const done = await job([
        script('plants', `rm -rf /run/berth/secrets; mkdir -p mine
            mv /run/berth/secrets /run/berth/old; ln -s /workspace/mine \\
                /run/berth/secrets/key; mkdir /run/berth/secrets/key
            ln -sfn /workspace/mine /run/berth/secrets
            exec 9</run/berth/secrets; true`),
        has({ name: 'uses', run: 'test -f /run/berth/secrets/key && ' +
            'test ! -L /run/berth/secrets/key' }),
        script('looks', `test -z "$(ls -A mine)" && ! ${SEARCH.trim()
            .replace(/^word=.*\n/, `word=$(printf %s ${HALVES.join(' ')}); `)}`)],
    withSecret());

    must(done.steps.uses.outcome === 'passed' && /mine|EROFS|Read-only|denied/i
        .test(done.log), done.log);
    must(!/Zebra.*Crossing.*end/.test(done.log), done.log);
    keptFrom(done);
    return 'the directory is nobody\'s inside';
}

async function printed() {
    const done = await job([has({ name: 'prints', run: `
        echo "$KEY"; cat /run/berth/secrets/key; echo
        printf %s "$KEY" | base64; printf %s "$KEY" | xxd -p 2>/dev/null ||
            printf %s "$KEY" | od -An -tx1 | tr -d ' \\n'; echo
        printf 'x%s' "$KEY" | base64 -w0; echo; echo "{\\"a\\":\\"$KEY\\"}"
        for ((i = 0; i < \${#KEY}; i++)); do printf %s "\${KEY:i:1}"; sleep 0.01
        done; echo; exit 3` })], withSecret());
    const forms = [VALUE, Buffer.from(VALUE).toString('base64').slice(0, 20),
        Buffer.from(VALUE).toString('hex')];

    must(done.steps.prints.exit_code === 3, done.steps.prints);
    must(/\*\*\*/.test(done.log), done.log);
    forms.forEach((form) => must(!done.log.includes(form), done.log));
    keptFrom(done);
    return '***';
}

// The gateway puts it into requests; it never comes inside.
async function injected(scene) {
    const { facts } = scene;
    const from = facts.requests.length;
    const done = await job([
        { name: 'asks', shell: 'bash', secrets: [{ name: 'KEY', inject: {
            host: 'ok.example.net', tls: false, header: 'X-Key' } }],
        run: `ask="curl -sS --max-time 20"
            $ask http://ok.example.net/key >/dev/null
            $ask http://www.example.net/other >/dev/null
            $ask -L http://ok.example.net/moved >/dev/null
            $ask -X TRACE -o /dev/null -w 'trace %{http_code}\\n' \\
                http://ok.example.net/traced
            if env | grep KEY; then exit 1; fi; ${SEARCH} && exit 1; exit 0` },
        { name: 'later', run: 'curl -sS http://ok.example.net/later >/dev/null' }],
    { ...withSecret(), sandbox: { network: ['ok.example.net',
        'www.example.net', 'meta.example.net'] } });
    const got = Object.fromEntries(facts.requests.slice(from).map(
        ({ url, headers }) => [url, headers['x-key']]));

    must(done.steps.asks.outcome === 'passed', done.log);
    must(got['/key'] === VALUE, got);
    must(!got['/other'] && !got['/later'] && !('/traced' in got), got);
    must('/other' in got && '/later' in got && /trace 405/.test(done.log), got);
    keptFrom(done);
    return 'it is in the host\'s requests alone';
}

async function withheld() {
    const done = await job([{ name: 'asks', 'continue-on-error': true,
        secrets: [{ name: 'OTHER' }, { name: 'HOME' }, { name: 'PATH' }],
        run: 'env' }], withSecret());

    must(done.steps.asks.outcome === 'failed' && !/PATH=/.test(done.log),
        done.log);
    keptFrom(done);
    return 'only what the store has by that name';
}

module.exports = { attacks: [
    { name: 'secret-before', why, attack: before },
    { name: 'secret-after', why, attack: after },
    { name: 'secret-planted', why, attack: planted },
    { name: 'secret-printed', why: 'output is masked', attack: printed },
    { name: 'secret-injected', why: 'the gateway has it', attack: injected },
    { name: 'secret-withheld', why, attack: withheld },
] };
