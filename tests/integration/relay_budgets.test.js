#!/usr/bin/env node
// tests/integration/relay_budgets.test.js - what a sandbox may spend, and fill.
// SPDX-License-Identifier: Apache-2.0
// timeout 120
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');
const { withRelay, modelOf, startModel, chat, stream, FRAME, assert,
  runTests } = require('./relay_rig');

const tests = {};

// ---- budgets ------------------------------------------------------------------

tests['requests: so many and no more, of a step'] = () =>
  withRelay({ step: { budget: { requests: 3 } } }, async (relay, fake) => {
    for (let i = 0; i < 3; i++)
      assert((await relay.ask(chat())).status === 200);
    const answer = await relay.ask(chat());
    const over = await relay.over();
    assert(answer.status === 400 && answer.json.error.code === 'budget_exceeded' &&
      answer.json.error.message.includes('3 of 3 requests used'), answer);
    assert(over.reason === 'budget_exceeded' &&
      over.message.startsWith('3 of 3 requests used (budget of the step'), over);
    assert((await relay.ask(stream())).status === 400);
    assert(fake.requests.length === 3 && (await relay.end()).requests === 3);
    await relay.begin({ budget: { requests: 3 } });
    assert((await relay.ask(chat())).status === 200);
  });

tests['requests of the job count over its steps'] = () =>
  withRelay({ model: { budget: { requests: 3 } } }, async (relay, fake) => {
    await relay.ask(chat());
    await relay.ask(chat());
    assert((await relay.end()).requests === 2);
    await relay.begin();
    assert((await relay.ask(chat())).status === 200);
    assert((await relay.ask(chat())).status === 400);
    assert((await relay.over()).message.includes('budget of the job'));
    assert((await relay.end()).requests === 1 && fake.requests.length === 3);
  });

tests['tokens and dollars'] = async () => {
  await withRelay({ step: { budget: { tokens: 240 } } }, async (relay) => {
    await relay.ask(chat());
    await relay.ask(stream());
    const answer = await relay.ask(chat());
    assert(answer.json.error.message.startsWith('240 of 240 tokens used'), answer);
  });
  await withRelay({ step: { budget: { micro_usd: 280 } } }, async (relay) => {
    await relay.ask(chat());
    await relay.ask(stream());
    const answer = await relay.ask(chat());
    assert(answer.json.error.message.startsWith('0.0003 of 0.00 USD used'),
      answer);
  });
};

tests['requests under way at the same time do not pass a budget together'] =
  async () => {
    // Of each may come 400 tokens, and some of its input; 120 do.
    const cases = [[{ tokens: 1000 }, 3], [{ micro_usd: 1000 }, 2]];
    for (const [budget, passed] of cases)
      await withRelay({ step: { budget }, fake: { script: [{ delay_ms: 2000 }] } },
        async (relay, fake) => {
          const answers = await Promise.all(Array.from({ length: 8 }, () =>
            relay.ask(chat({ max_tokens: 400 }))));
          const late = answers.filter((a) => a.status === 429);
          assert(fake.requests.length === passed && late.length === 8 - passed &&
            late[0].json.error.message.includes('what is left of the budget') &&
            late[0].headers['retry-after'] === '1',
          budget, answers.map((a) => a.status));
          // What they did take is little: there is something left.
          assert((await relay.ask(chat({ max_tokens: 400 }))).status === 200);
          assert(!relay.frames.some((f) => f.doc.reason), relay.frames);
        });
  };

tests['a single request is let through, whatever it may take'] = () =>
  withRelay({ step: { budget: { tokens: 100 } } }, async (relay) => {
    assert((await relay.ask(chat({ max_tokens: 1e9 }))).status === 200);
    assert((await relay.ask(chat())).json.error.message
      .startsWith('120 of 100 tokens used'));
  });

tests['what is tried again counts, and ends with the budget'] = () =>
  withRelay({ step: { budget: { requests: 2 } }, fake: { script: [
    { mode: 'fail', status: 503 }] } }, async (relay, fake) => {
    const answer = await relay.ask(chat());
    const over = await relay.over();
    assert(answer.status === 400 && fake.requests.length === 2 &&
      answer.json.error.code === 'budget_exceeded', answer);
    assert(over.reason === 'budget_exceeded' &&
      over.message.startsWith('2 of 2 requests used'), over);
    const usage = await relay.end();
    assert(usage.requests === 2 && usage.input_tokens === 0, usage);
  });

tests['what earlier attempts of the job spent counts'] = async () => {
  const cases = [
    [{ requests: 3 }, { requests: 2 }, '3 of 3 requests used'],
    [{ tokens: 300 }, { tokens: 200 }, '320 of 300 tokens used'],
    [{ micro_usd: 20100 }, { micro_usd: 20000 }, '0.0201 of 0.02 USD used'],
  ];
  for (const [budget, spent, message] of cases)
    await withRelay({ model: { budget, spent } }, async (relay) => {
      assert((await relay.ask(chat())).status === 200);
      assert((await relay.ask(chat())).status === 400);
      assert((await relay.over()).message.startsWith(
        `${message} (budget of the job`), relay.frames);
      const { models, requests } = await relay.end();
      assert(requests === 1 && models.default.paid.requests === 1 &&
        models.default.requests === 1 + (spent.requests || 0), models);
    });
  await withRelay({ model: { budget: { time_ms: 500 },
    spent: { time_ms: 500 } } }, async (relay, fake) => {
    assert((await relay.ask(chat())).status === 400 && !fake.requests.length);
  });
};

tests['what goes into a cache has its price'] = () =>
  withRelay({ model: { dialect: 'anthropic', price: { input: 1000000,
    output: 0, cached: 100000, written: 1250000 } }, fake: { script: [{ usage:
    { input: 1000, output: 1, cached: 100, written: 800, hours: 400 } }] } },
  async (relay) => {
    const body = chat({ max_tokens: 10 });
    await relay.ask(body, { path: '/v1/messages' });
    await relay.ask({ ...body, stream: true }, { path: '/v1/messages' });
    const usage = await relay.end();
    // 100 * 1 $ + 100 * 0.1 $ + 400 * 1.25 $ + 400 * 2 $
    assert(usage.micro_usd === 2 * 1410 && usage.input_tokens === 2000 &&
      usage.cached_tokens === 200, usage);
  });

tests['time, also in the middle of an answer'] = () =>
  withRelay({ step: { budget: { time_ms: 3000 } }, fake: { script: [
    { pieces: ['a', 'b', 'c', 'd', 'e', 'f', 'g'], delay_ms: 1000 }] } },
  async (relay, fake) => {
    const answer = await relay.ask(stream());
    const over = await relay.over();
    assert(answer.cut && answer.text.includes('"a"'), answer);
    assert(over.reason === 'budget_exceeded' &&
      over.message.startsWith('all of '), over);
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
  });

tests['endless calls of tools end with the requests'] = () =>
  withRelay({ fake: { script: [{ mode: 'tools' }] },
    step: { budget: { requests: 10 } } }, async (relay, fake) => {
    let asked = 0;
    while ((await relay.ask(stream())).status === 200) asked++;
    assert(asked === 10 && fake.requests.length === 10, asked);
  });

// ---- what nobody waits for ----------------------------------------------------

tests['what a step left running ends with it, and is counted'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }] } }, async (relay, fake) => {
    const asked = relay.ask(chat({ max_tokens: 70 }));
    while (!fake.requests.length)
      await new Promise((done) => setTimeout(done, 5));
    const usage = await relay.end();
    const answer = await asked;
    assert(answer.status === 403 && answer.json.error.code === 'no_step', answer);
    // What is not seen of it counts as all that it may become.
    assert(usage.requests === 1 && usage.estimated && usage.input_tokens > 10 &&
      usage.output_tokens === 70, usage);
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
  });

tests['who goes away early pays all the same'] = () =>
  withRelay({ fake: { script: [{ pieces: ['x'.repeat(400), 'b', 'c', 'd'],
    delay_ms: 100 }] } }, async (relay, fake) => {
    await relay.ask(stream(), { onPiece: (request, answer) => {
      if (answer.text.includes('xxx')) request.destroy();
    } });
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
    const usage = await relay.end();
    assert(usage.estimated && usage.output_tokens >= 100 &&
      usage.input_tokens > 10, usage);
  });

tests['who may be killed has told the worst before'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }] } }, async (relay) => {
    relay.ask(chat({ max_tokens: 70 }));
    const usage = await relay.frame(FRAME.USAGE);
    const { requests, tokens, micro_usd, paid } = usage.models.default;
    assert(usage.requests === 1 && usage.input_tokens > 10 &&
      usage.output_tokens === 70 && usage.estimated, usage);
    assert(requests === 1 && tokens === usage.input_tokens + 70 &&
      micro_usd === usage.input_tokens + 140 && paid.requests === 1 &&
      paid.tokens === tokens && paid.micro_usd === micro_usd, usage);
  });

tests['of the fallback, too, and less as soon as it is known'] = async () => {
  const spare = await startModel({ script: [{ delay_ms: 200 }] });
  const other = modelOf(spare, { name: 'spare', key: '',
    price: { input: 10000000, output: 10000000 } });
  await withRelay({ model: { fallback: 'spare' }, others: [other],
    fake: { script: [{ mode: 'fail', status: 503, retry_after: 100 }] } },
  async (relay) => {
    const before = [];
    const asked = relay.ask(chat({ max_tokens: 70 }));
    let usage;
    do {
      usage = await relay.frame(FRAME.USAGE);
      before.push(usage);
    } while (usage.requests < 2);
    const { spare: held, default: first } = usage.models;
    assert(held.paid.requests === 1 && held.paid.micro_usd > 700 &&
      first.micro_usd === held.paid.micro_usd && first.paid.tokens === 0 &&
      held.tokens === 0, before);
    assert((await asked).status === 200);
    usage = await relay.end();
    assert(!usage.estimated && usage.input_tokens === 100 &&
      usage.models.spare.paid.tokens === 120 &&
      usage.models.default.tokens === 120, usage);
  });
  await spare.stop();
};

const gone = async (relay, fake, body) => {
  const asked = http.request({ host: '127.0.0.1', port: relay.port,
    method: 'POST', path: '/v1/chat/completions', agent: false });
  asked.on('error', () => {});
  asked.end(JSON.stringify(body));
  while (!fake.requests.length)
    await new Promise((done) => setTimeout(done, 5));
  return () => asked.destroy();
};

tests['who leaves an answer in one piece pays for all of it'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }] } }, async (relay, fake) => {
    (await gone(relay, fake, chat({ max_completion_tokens: 300, n: 2 })))();
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
    const usage = await relay.end();
    assert(usage.output_tokens === 600 && usage.input_tokens > 10 &&
      usage.estimated, usage);
  });

tests['who leaves before a stream begins pays for the time'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }] } }, async (relay, fake) => {
    const before = Date.now();
    const leave = await gone(relay, fake, stream({ max_tokens: 1000 }));
    const since = Date.now();
    await new Promise((done) => setTimeout(done, 300));
    const least = (Date.now() - since) / 10;
    leave();
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
    const usage = await relay.end();
    assert(usage.output_tokens >= Math.floor(least) - 1 &&
      usage.output_tokens <= (Date.now() - before) / 10 + 1, usage, least);
  });

// ---- what it keeps ------------------------------------------------------------

tests['requests that are too much together are refused'] = () =>
  withRelay({ environment: { ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=1' },
    fake: { script: [{ delay_ms: 500 }] } }, async (relay, fake) => {
    // Halves of requests: 120 MiB, of which the relay may have 64.
    const half = Buffer.alloc(8 << 20, 'x');
    // None ends before all were sent, or refused.
    let sent = 0;
    let all;
    const sentAll = new Promise((done) => { all = done; });
    const seen = await Promise.all(Array.from({ length: 15 }, () =>
      new Promise((done) => {
        let over = false;
        const one = () => {
          if (!over && ++sent === 15) all();
          over = true;
        };
        const socket = net.connect(relay.port, '127.0.0.1');
        let got = '';
        socket.on('data', (data) => { got += data; });
        socket.on('close', () => { one(); done(got); });
        socket.on('error', () => {});
        socket.write('POST /v1/chat/completions HTTP/1.1\r\n' +
          `Content-Length: ${16 << 20}\r\n\r\n`);
        socket.write(half, () => { one(); sentAll.then(() => socket.end()); });
      })));
    const refused = seen.filter((text) => text.startsWith('HTTP/1.1 503 '));
    assert(refused.length > 8 && refused.every((text) =>
      /Retry-After: 1/.test(text) && /too_much_buffered/.test(text)),
    seen.map((text) => text.slice(0, 20)));
    const peak = /VmHWM:\s+(\d+)/.exec(
      fs.readFileSync(`/proc/${relay.child.pid}/status`, 'latin1'))[1];
    assert(peak < 128 << 10, peak);
    // Later there is room again.
    assert((await relay.ask(chat({ pad: 'x'.repeat(15 << 20) }))).status === 200);
    assert(fake.requests.length === 1);
  });

tests['requests under way are among it'] = () => withRelay({ setup: {
  max_buffered: 6 << 20 }, fake: { script: [{ delay_ms: 2000 }] } },
async (relay) => {
  const body = chat({ pad: 'x'.repeat(1 << 20) });
  const answers = await Promise.all(Array.from({ length: 6 }, () =>
    relay.ask(body)));
  const count = (status) => answers.filter((a) => a.status === status).length;
  assert(count(200) >= 1 && count(200) <= 2 && count(503) === 6 - count(200),
    answers.map((a) => a.status));
  assert((await relay.end()).requests === count(200));
});

tests['so are answers that nobody reads'] = () => withRelay({ setup: {
  max_buffered: 8 << 20, max_answer: 64 << 20 }, fake: { script: [
  { mode: 'big', bytes: 48 << 20 }] } },
async (relay) => {
  const body = JSON.stringify(stream());
  const socket = net.connect(relay.port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => {});
  socket.write('POST /v1/chat/completions HTTP/1.1\r\n' +
    `Content-Length: ${body.length}\r\n\r\n${body}`);
  // The first is of what it may take.
  let usage = await relay.frame(FRAME.USAGE);
  const { output_tokens: held } = usage;
  while (usage.output_tokens <= held) usage = await relay.frame(FRAME.USAGE);
  socket.destroy();
  // It was ended, at less than half of it; and it was not the model's fault.
  assert(usage.estimated && usage.output_tokens < 6 << 20, usage);
  assert((await relay.ask(chat())).status === 503);
  assert(!relay.frames.some((f) => f.type === FRAME.OVER), relay.frames);
});

// -------------------------------------------------------------------------------

runTests(tests);
