// tests/security/jobs_output.js - jobs that lie about themselves.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const { job, script, must, running } = require('./jobs');

const why = 'what a job prints is never believed';

async function forgedFrames() {
    // AGENT_EXIT, code 0, for the first ids; and once more for all of stdin.
    const { result, steps } = await job([script('lies', `
        for id in 0 1 2 3 4 5; do
            printf '\\0\\0\\0\\34\\22\\0\\0\\0\\%o' $id
            printf '\\0%.0s' $(seq 28)
        done
        exit 3`), { name: 'honest', run: 'exit 4' }]);

    must(steps.lies.exit_code === 3 && steps.honest.exit_code === 4 &&
        result.state === 'failed', result.steps);
    return 'the exit code is the kernel\'s';
}

async function forgedResult() {
    const { result, status } = await job([{ name: 'lies', run: `
        echo '{"schema":1,"state":"passed","steps":[]}'
        echo '{"schema":1,"state":"passed","steps":[]}' >&2
        exit 1` }]);

    must(status === 1 && result.state === 'failed', result);
    return 'the result is not of its output';
}

async function forgedLines() {
    const { log } = await job([script('lies', `
        printf 'a\\n✓ forged-one  1 ms\\n\\r✓ forged-two\\n'
        printf 'b\\r✓ forged-three\\n\\n\\n✓ forged-four\\v✓ forged-five\\n'
        printf '\\302\\205✓ forged-six\\n\\342\\200\\250✓ forged-seven\\n'`)]);
    const bad = log.split(/[\n\r\v\f]/).filter((line) =>
        /^\S*\s*(?:\xe2\x9c\x93|✓)\s+forged/.test(line));

    must(bad.length === 0, bad);
    must(/forged-four/.test(log), 'nothing was printed');
    return 'all lines are marked';
}

// What a terminal would do: titles, the clipboard, erasing, answers.
const ESCAPES = '\\033]0;title\\007\\033]52;c;ZXZpbA==\\007\\033[2J\\033[1;1H' +
    '\\033P+q544e\\033\\\\\\302\\2332J\\233c\\033[6n\\033c\\033[?1049h\\n';

async function terminalEscapes() {
    const { log } = await job([script('steers', `printf '${ESCAPES}'; echo out`)]);

    // eslint-disable-next-line no-control-regex
    must(!/\x1b[\]P_^Xc]|\x1b\[(?!\d*(;\d+)*m)|[\x80-\x9f](?<=\xc2.)/.test(log),
        JSON.stringify(log.match(/.{0,30}\x1b.{0,30}/g)));
    must(/out/.test(log), 'nothing was printed');
    return 'no control character gets through';
}

async function binaryFlood() {
    const { result } = await job([{ name: 'noise',
        run: 'head -c 2000000 /dev/urandom; printf "\\0\\0\\377\\376"' }]);

    must(result.state === 'passed' && result.log.bytes === 2000004, result);
    return 'bytes are bytes';
}

// The peak of the process that passes it on, of all that it has.
function watchPeak(pid, into) {
    const look = () => {
        try {
            const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
            into.kib = Math.max(into.kib,
                Number(text.match(/VmHWM:\s+(\d+)/)[1]));
        } catch { /* it has ended */ }
    };
    into.timer = setInterval(look, 100);
}

async function longLine() {
    const peak = { kib: 0 };
    const { result } = await job([
        { name: 'starts', run: 'echo begin' },
        { name: 'shouts', run: 'head -c 1000000000 /dev/zero | tr "\\0" x; echo' }],
    { sandbox: { instance_type: { cpu: 2, memory: '512MiB', disk: '64MB' } },
        onLog: (log, child) => peak.timer || watchPeak(child.pid, peak) });

    clearInterval(peak.timer);
    must(result.state === 'passed' && result.log.bytes > 1e9, result);
    must(result.log.dropped_bytes > 9e8, result.log);
    must(peak.kib > 0 && peak.kib < 600 << 10, `${peak.kib} KiB of memory`);
    return `most is left out, ${peak.kib >> 10} MiB of memory`;
}

async function survivors() {
    const word = `7${Date.now() % 1000000}`;
    const { steps } = await job([
        script('leaves', `(setsid setsid sleep ${word} </dev/null &>/dev/null &)
            (trap "" TERM HUP INT; setsid sleep ${word}0 &>/dev/null &)
            sleep 0.2; pgrep -f '[s]leep ${word}' | wc -l`),
        script('looks', `pgrep -f '[s]leep ${word}' && exit 1; exit 0`)]);

    must(steps.looks.outcome === 'passed', 'it lives in the next step');
    must(running(`sleep\x00${word}`).length === 0, 'it lives behind the job');
    return 'killed with the step';
}

async function killAll() {
    const { result, steps } = await job([
        script('kills', 'kill -9 -1; sleep 1'),
        { name: 'lives', run: 'echo here' }]);

    must(steps.lives.outcome === 'passed' && result.state === 'passed', result);
    return 'EPERM at the agent';
}

async function stopped() {
    const { steps } = await job([script('stops',
        'trap "" TERM INT HUP; kill -STOP $$', { timeout: '1s' }),
    { name: 'after', run: 'echo here' }]);

    must(steps.stops.reason === 'timed_out' &&
        steps.after.outcome === 'passed', steps);
    return 'SIGKILL, from outside';
}

async function closedOutput() {
    const { steps } = await job([script('mute',
        'exec >&- 2>&- <&-; exec 1</dev/zero; exit 5')]);

    must(steps.mute.exit_code === 5, steps);
    return 'the exit code is the kernel\'s';
}

async function held() {
    const { result } = await job([script('hands on',
        '(exec setsid sleep 60 &) ; exit 0')]);

    must(result.duration_ms < 30000, result);
    return 'not waited for';
}

module.exports = { attacks: [
    { name: 'forged-frames', why, attack: forgedFrames },
    { name: 'forged-result', why, attack: forgedResult },
    { name: 'forged-lines', why, attack: forgedLines },
    { name: 'terminal-escapes', why, attack: terminalEscapes },
    { name: 'binary-flood', why, attack: binaryFlood },
    { name: 'gigabyte-line', why, attack: longLine },
    { name: 'closed-output', why, attack: closedOutput },
    { name: 'output-held-open', why, attack: held },
    { name: 'background-survivors', why: 'the agent ends them',
        attack: survivors },
    { name: 'kill-everything', why: 'the agent is another user\'s',
        attack: killAll },
    { name: 'stopped-for-good', why: 'time is kept outside', attack: stopped },
] };
