// tests/lib/run_job.js - run-job itself, told what to do as a worker tells it.
// SPDX-License-Identifier: Apache-2.0
//
// usage: node run_job.js RUN-JOB START.json
//
// START.json: worker/job/events.h's JOB_FRAME_START. Prints notes and output,
// then "state reason"; exits with 0 when the job passed. HUP: cancel the job.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');

const child = spawn(process.argv[2], [],
    { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
const socket = child.stdio[3];
function send(type, text) {
    const head = Buffer.alloc(9);
    head.writeUInt32BE(text.length, 0);
    head.writeUInt8(type, 4);
    socket.write(Buffer.concat([head, text]));
}
send(1, fs.readFileSync(process.argv[3]));
process.on('SIGHUP', () => send(3, Buffer.from('{"reason":"cancelled"}')));

let data = Buffer.alloc(0);
let passed = false;
socket.on('data', (chunk) => {
    data = Buffer.concat([data, chunk]);
    while (data.length >= 9 && data.length >= 9 + data.readUInt32BE(0)) {
        const type = data.readUInt8(4);
        const body = data.subarray(9, 9 + data.readUInt32BE(0)).toString();
        data = data.subarray(9 + data.readUInt32BE(0));
        if (type === 17 || type === 18)
            process.stdout.write(body);
        else if (type === 19)
            console.log(`• ${body}`);
        else if (type === 22)
            passed = report(JSON.parse(body));
    }
});
function report(result) {
    console.log(result.state, result.reason || '', result.message || '');
    return result.state === 'passed';
}
child.on('exit', () => process.exit(passed ? 0 : 1));
