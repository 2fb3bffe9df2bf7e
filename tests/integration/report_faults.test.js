#!/usr/bin/env node
// tests/integration/report_faults.test.js - whatever goes wrong at the host, or
// dies: in the end there is one check, one comment a finding, one summary.
// timeout 400
// long 120
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { World, THREE, FAR, isWhole, oneCheck, shown } =
  require('../lib/report_world');
const { ok, end } = require('../lib/tap');

// ---- what goes wrong ----------------------------------------------------------------

const WRITES = { github: ['check-runs', 'reviews$', 'issues/1/comments'],
  gitlab: ['statuses/', 'discussions$', 'notes$'],
  gitea: ['statuses/', 'reviews$', 'issues/1/comments'] };
const PASSING = ['502', 'cut', 'cut-after', '429', 'primary', 'secondary',
  'garbage'];
const REFUSED = ['403', '404'];

async function faults(kind) {
  for (const fault of [...PASSING, ...REFUSED])
    for (const where of WRITES[kind]) {
      if (fault === 'primary' && kind !== 'github') continue;
      if (fault === 'secondary' && kind !== 'github') continue;
      const world = await World.make(kind);
      world.call('fault', { kind: fault, method: 'POST', path: where, seconds: 1 });
      const { answer, said } = await world.settle([...THREE, FAR]);
      const refused = REFUSED.includes(fault);
      const second = refused ? await world.report([...THREE, FAR]) : answer;
      ok(!answer.error && !second.error && isWhole(world) && world.isClean() &&
        (refused ? said.length === 0 && answer.notes.length > 0
          : said.length === 1 && ['away', 'paused'].includes(said[0].error)),
      `${kind}: ${fault} of ${where}`, answer, said, shown(world));
      await world.stop();
    }
}

async function readFaults(kind) {
  for (const fault of ['503', '404', '403', 'garbage']) {
    const world = await World.make(kind);
    world.call('fault', { kind: fault, method: 'GET',
      count: REFUSED.includes(fault) ? 1 : 2, path: kind === 'gitlab' ? 'diffs$' : '/pulls/1(\\.diff)?$' });
    const first = await world.report([...THREE, FAR]);
    const checked = oneCheck(world);
    const { answer } = await world.settle([...THREE, FAR]);
    ok(checked && !answer.error && isWhole(world),
      `${kind}: ${fault} of the diff does not cost the check`, first, answer,
      shown(world));
    await world.stop();
  }
}

async function statusTwice() {
  const world = await World.make('gitlab');
  world.call('fault', { kind: '409', method: 'POST', path: 'statuses/' });
  const { answer, said } = await world.settle(THREE);
  ok(said.length === 1 && said[0].error === 'away' && !answer.error &&
    isWhole(world), 'gitlab: 409 is tried again', said, answer);
  await world.stop();
}

// Killed behind or before its nth request, for every n.
async function killed(kind, before) {
  let n = 0;
  let bad = null;
  for (let hit = true; hit && !bad && n < 60; n++) {
    const world = await World.make(kind);
    const answerOf = world.fake.answer.bind(world.fake);
    let seen = 0;
    hit = false;
    world.fake.answer = async (ctx, entry) => {
      const now = seen++ === n;
      hit ||= now;
      if (now && before) await world.kill();
      if (now && before) return { status: 500, body: '' };
      const made = await answerOf(ctx, entry);
      if (now) await world.kill();
      return made;
    };
    const { answer } = await world.settle([...THREE, FAR]);
    if (answer.error || !isWhole(world) || !world.isClean())
      bad = { n, answer, ...shown(world) };
    await world.stop();
  }
  ok(!bad && n > 5, `${kind}: killed ${before ? 'before' : 'behind'} each of ` +
    `${n - 1} requests`, bad);
}

async function main() {
  for (const kind of ['github', 'gitlab', 'gitea']) {
    await faults(kind);
    await readFaults(kind);
    await killed(kind, false);
  }
  await killed('github', true);
  await statusTwice();
  end();
}

main().catch((error) => {
  ok(false, 'the test itself', error);
  end();
});
