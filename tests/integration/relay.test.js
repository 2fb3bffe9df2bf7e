#!/usr/bin/env node
// tests/integration/relay.test.js - what a sandbox gets of a model, and what not.
// SPDX-License-Identifier: Apache-2.0
// timeout 240
//
// The real relay, told what to do as run-job does it, before a provider of
// tests/fakes/model.js.
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { Relay, withRelay, modelOf, startModel, chat, stream, KEY, assert,
  runTests } = require('./relay_rig');

const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 'r'));
const tests = {};

// ---- what goes through --------------------------------------------------------

tests['a chat completion goes through, with the real key and no other'] =
  () => withRelay({}, async (relay, fake) => {
    const answer = await relay.ask(chat({ temperature: 0.7 }), { headers: {
      'X-Evil': '1', Cookie: 'a=b', 'OpenAI-Organization': 'x' } });
    const [seen] = fake.requests;
    assert(answer.status === 200 && !answer.cut &&
      answer.json.choices[0].message.content === 'Hello from the model.', answer);
    assert(seen.headers.authorization === `Bearer ${KEY}` &&
      !seen.headers['x-api-key'] && !seen.headers['x-evil'] &&
      !seen.headers.cookie && !seen.headers['openai-organization'] &&
      seen.headers.host === `127.0.0.1:${fake.port}`, seen.headers);
    assert(seen.url === '/v1/chat/completions' && seen.body.temperature === 0.7 &&
      !seen.body.stream_options, seen);
    const usage = await relay.end();
    // 100 * 1 $ + 20 * 2 $ a million
    assert(usage.requests === 1 && usage.input_tokens === 100 &&
      usage.output_tokens === 20 && usage.micro_usd === 140 &&
      !usage.estimated, usage);
  });

tests['a stream comes as it is made, and tokens are counted'] = () =>
  withRelay({ fake: { script: [{ pieces: ['a', 'b', 'c'], delay_ms: 800,
    usage: { input: 50, output: 10, cached: 40 } }] } },
  async (relay, fake) => {
    const answer = await relay.ask(stream({ stream_options: { x: 1 } }));
    const { pieces } = answer;
    assert(answer.status === 200 && !answer.cut &&
      answer.headers['content-type'] === 'text/event-stream', answer);
    assert(answer.text.endsWith('data: [DONE]\n\n'), answer.text);
    assert(pieces.length > 3 &&
      pieces[pieces.length - 1].at - pieces[0].at > 400, pieces);
    const seen = fake.requests[0].body;
    assert(seen.stream_options.include_usage === true &&
      seen.stream_options.x === 1, seen);
    const usage = await relay.end();
    // 10 * 1 $ + 40 * 0.1 $ + 10 * 2 $
    assert(usage.input_tokens === 50 && usage.cached_tokens === 40 &&
      usage.micro_usd === 34, usage);
  });

tests['responses go through, in one piece and as a stream'] = () =>
  withRelay({}, async (relay, fake) => {
    const body = { model: 'large', input: 'hi' };
    const one = await relay.ask(body, { path: '/v1/responses' });
    const two = await relay.ask({ ...body, stream: true },
      { path: '/v1/responses' });
    assert(one.json.output[0].content[0].text === 'Hello from the model.', one);
    assert(two.text.includes('event: response.completed'), two);
    assert(!fake.requests[1].body.stream_options, fake.requests[1]);
    const usage = await relay.end();
    assert(usage.requests === 2 && usage.input_tokens === 200 &&
      usage.output_tokens === 40, usage);
  });

tests['messages of Anthropic go through with x-api-key'] = () =>
  withRelay({ model: { dialect: 'anthropic' }, fake: { script: [{ usage:
    { input: 30, output: 7, cached: 20 } }] } }, async (relay, fake) => {
    const body = chat({ max_tokens: 10 });
    const one = await relay.ask(body, { path: '/v1/messages' });
    const two = await relay.ask({ ...body, stream: true },
      { path: '/v1/messages', headers: { 'anthropic-version': '2024-01-01' } });
    assert(one.json.content[0].text === 'Hello from the model.', one);
    assert(two.text.includes('event: message_stop'), two);
    assert(fake.requests[0].headers['x-api-key'] === KEY &&
      !fake.requests[0].headers.authorization &&
      fake.requests[0].headers['anthropic-version'] === '2023-06-01' &&
      fake.requests[1].headers['anthropic-version'] === '2024-01-01',
    fake.requests);
    const usage = await relay.end();
    assert(usage.input_tokens === 60 && usage.cached_tokens === 40 &&
      usage.output_tokens === 14, usage);
  });

tests['calls of tools are content'] = () => withRelay({ fake: { script: [
  { tool: { name: 'read', arguments: { path: 'a' } } }] } }, async (relay) => {
  for (let i = 0; i < 6; i++) {
    const answer = await relay.ask(i % 2 ? chat() : stream());
    assert(answer.status === 200 && answer.text.includes('tool_calls'), answer);
  }
  assert((await relay.end()).requests === 6);
});

tests['models: the allowed ones'] = () => withRelay({}, async (relay, fake) => {
  const answer = await relay.ask('', { method: 'GET', path: '/v1/models' });
  assert(answer.status === 200 && answer.json.data.map((m) => m.id).join() ===
    'small,large' && !fake.requests.length, answer);
});

tests['a body in chunks, and one that asks for leave'] = () =>
  withRelay({}, async (relay, fake) => {
    const chunked = await relay.ask(chat(), { headers:
      { 'Transfer-Encoding': 'chunked' } });
    assert(chunked.status === 200, chunked);
    const big = chat({ pad: 'x'.repeat(3 << 20) });
    const answer = await relay.ask(big, { headers: { Expect: '100-continue' } });
    assert(answer.status === 200 &&
      fake.requests[1].body.pad.length === 3 << 20, answer);
  });

tests['halves of characters are mended, NUL stays'] = () =>
  withRelay({}, async (relay, fake) => {
    const text = JSON.stringify(chat({ pad: 'PAD' })).replace('PAD',
      'a\\ud83d b\\ude00 \\ud83d\\ude00 \\u0000 \\\\ud83d');
    const answer = await relay.ask(text);
    assert(answer.status === 200, answer);
    assert(fake.requests[0].body.pad ===
      'a\ufffd b\ufffd \ud83d\ude00 \u0000 \\ud83d', fake.requests[0].body);
  });

// ---- what does not ------------------------------------------------------------

tests['no other model, path, method or body'] = () =>
  withRelay({}, async (relay, fake) => {
    const cases = [
      [chat({ model: 'huge' }), {}, 403, 'model_not_allowed'],
      [chat(), { path: '/v1/embeddings' }, 404, 'not_found'],
      [chat(), { path: '/v1/messages' }, 404, 'not_found'],
      [chat(), { path: '/chat/completions' }, 404, 'not_found'],
      ['', { method: 'GET' }, 404, 'not_found'],
      ['{', {}, 400, 'bad_request'],
      ['[]', {}, 400, 'bad_request'],
      ['{"messages":[]}', {}, 400, 'bad_request'],
      ['{"model":"small","model":"huge"}', {}, 403, 'model_not_allowed'],
      ['{"model":"small\\u0000huge"}', {}, 400, 'bad_request'],
      [chat({ models: ['huge'] }), {}, 400, 'bad_request'],
      [chat({ tools: [{ type: 'web_search' }] }), {}, 400, 'bad_request'],
      [chat({ pad: Array(300000).fill(0) }), {}, 400, 'bad_request'],
      [chat({ pad: 'x'.repeat(17 << 20) }), {}, 413, 'bad_request'],
    ];
    for (const [body, options, status, code] of cases) {
      const answer = await relay.ask(body, options);
      assert(answer.status === status && answer.json.error.code === code,
        status, answer);
    }
    assert(!fake.requests.length && (await relay.end()).requests === 0);
  });

tests['without a step nobody may ask'] = () => withRelay({}, async (relay, fake) => {
  await relay.end();
  const answer = await relay.ask(chat());
  assert(answer.status === 403 && answer.json.error.code === 'no_step' &&
    !fake.requests.length, answer);
});

// ---- providers that fail ------------------------------------------------------

tests['401: at once, with what the provider says, but not the key'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 401,
    text: `Incorrect API key: ${KEY}` }] } }, async (relay, fake) => {
    const answer = await relay.ask(chat());
    const over = await relay.over();
    assert(answer.status === 400 && answer.json.error.code === 'model_failed',
      answer);
    assert(over.reason === 'model_failed' && fake.requests.length === 1 &&
      over.message === "the model 'default': the provider answers 401", over);
  });

tests['429 with Retry-After, then 503: tried again, and it is well'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 429, retry_after: 1 },
    { mode: 'fail', status: 503 }, {}] } }, async (relay, fake) => {
    const answer = await relay.ask(stream());
    const [first, second, third] = fake.requests.map((r) => r.at);
    assert(answer.status === 200 && !answer.cut, answer);
    assert(second - first >= 990 && third - second < 900, fake.requests);
    const usage = await relay.end();
    assert(usage.requests === 3 && usage.input_tokens === 100 &&
      !usage.estimated, usage);
  });

tests['429 without Retry-After three times: no more'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 429,
    text: 'slow\ndown' }] } }, async (relay, fake) => {
    const answer = await relay.ask(chat());
    const over = await relay.over();
    assert(answer.status === 400 && fake.requests.length === 3, answer);
    assert(over.reason === 'model_failed' && over.message ===
      "the model 'default': the provider answers 429: slow down", over);
  });

tests['a Retry-After that is too long is not waited for'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 429,
    retry_after: 3600 }] } }, async (relay, fake) => {
    assert((await relay.ask(chat())).status === 400);
    assert(fake.requests.length === 1);
  });

const date = (ms) => new Date(Date.now() + ms).toUTCString();

tests['a Retry-After that is a date: waited for'] = () => {
  const due = date(5000);
  return withRelay({ fake: { script: [{ mode: 'fail', status: 429,
    retry_after: due }, {}] } }, async (relay, fake) => {
    assert((await relay.ask(chat())).status === 200);
    assert(fake.requests.length === 2 &&
      fake.requests[1].at >= Date.parse(due) - 10, due, fake.requests);
  });
};

tests['a Retry-After that is a date too late is not waited for'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 429,
    retry_after: date(3600000) }] } }, async (relay, fake) => {
    assert((await relay.ask(chat())).status === 400);
    assert(fake.requests.length === 1);
  });

tests['a Retry-After that has passed is none'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 429,
    retry_after: date(-3600000) }, {}] }, setup: { backoff_ms: 700 } },
  async (relay, fake) => {
    assert((await relay.ask(chat())).status === 200);
    const [first, second] = fake.requests.map((r) => r.at);
    assert(second - first >= 690, fake.requests);
  });

tests['400 is the request\'s fault: passed on, the next may ask'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 400, text: 'no' }, {}] } },
    async (relay) => {
      const answer = await relay.ask(chat());
      assert(answer.status === 400 && answer.json.error.message === 'no', answer);
      assert((await relay.ask(chat())).status === 200);
    });

tests['400 with the key in it is passed on without'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 422,
    text: `these were the headers: ${KEY}` }] } }, async (relay) => {
    const answer = await relay.ask(chat());
    assert(answer.status === 422 && !answer.text.includes(KEY) &&
      answer.json.error.message === 'the provider answers 422', answer);
  });

tests['a redirect is not followed'] = () => withRelay({ fake: { script: [
  { mode: 'fail', status: 307 }] } }, async (relay, fake) => {
  assert((await relay.ask(chat())).status === 400);
  assert(fake.requests.length === 1 &&
    (await relay.over()).message.includes('answers 307'));
});

tests['no connection'] = async () => {
  const gone = await startModel();
  await gone.stop();
  await withRelay({ model: { url: gone.url } }, async (relay) => {
    assert((await relay.ask(chat())).status === 400);
    const over = await relay.over();
    assert(over.reason === 'model_failed' && over.message.includes('127.0.0.1'),
      over);
    const usage = await relay.end();
    assert(usage.requests === 3 && usage.input_tokens === 0, usage);
  });
};

tests['no byte: after first_byte_ms, then not again'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }] },
    setup: { first_byte_ms: 300, retry_ms: 250 } }, async (relay, fake) => {
    const answer = await relay.ask(stream());
    const over = await relay.over();
    assert(answer.status === 400 && fake.requests.length === 1, answer);
    assert(over.message === "the model 'default': no byte for 0.3 s", over);
  });

tests['no byte, and it is well the second time: both are counted'] = () =>
  withRelay({ fake: { script: [{ mode: 'hang' }, {}] },
    setup: { first_byte_ms: 2000 } }, async (relay) => {
    assert((await relay.ask(chat())).status === 200);
    const usage = await relay.end();
    assert(usage.requests === 2 && usage.estimated && usage.input_tokens > 110 &&
      usage.output_tokens === 20, usage);
  });

tests['half of a head is no byte of an answer'] = () =>
  withRelay({ fake: { script: [{ mode: 'slow' }] },
    setup: { first_byte_ms: 300, retry_ms: 250 } }, async (relay) => {
    assert((await relay.ask(stream())).status === 400);
    assert((await relay.over()).message.includes('no byte for 0.3 s'));
  });

tests['silence in the middle of a stream'] = () =>
  withRelay({ fake: { script: [{ mode: 'stall' }] },
    setup: { stall_ms: 1500 } }, async (relay) => {
    const answer = await relay.ask(stream());
    const over = await relay.over();
    assert(answer.status === 200 && answer.cut && answer.text.includes('Hello'),
      answer);
    assert(over.reason === 'model_failed' &&
      over.message.includes('no byte for 1.5 s'), over);
    const usage = await relay.end();
    assert(usage.estimated && usage.output_tokens > 0, usage);
  });

tests['an answer in one piece that is cut is asked for again'] = () =>
  withRelay({ fake: { script: [{ mode: 'cut' }, {}] } }, async (relay, fake) => {
    const answer = await relay.ask(chat());
    assert(answer.status === 200 && answer.json.choices, answer);
    const usage = await relay.end();
    assert(fake.requests.length === 2 && usage.requests === 2 &&
      usage.input_tokens > 110 && usage.output_tokens === 25, usage);
  });

tests['streams that are cut: the fourth in a row is the last'] = () =>
  withRelay({ fake: { script: [{ mode: 'cut' }] } }, async (relay, fake) => {
    for (let i = 0; i < 4; i++)
      assert((await relay.ask(stream())).cut);
    const over = await relay.over();
    assert(over.reason === 'model_failed' && fake.requests.length === 4 &&
      over.message.includes('4 answers in a row that end in the middle'), over);
  });

tests['empty streams: the fourth in a row is the last'] = () =>
  withRelay({ fake: { script: [{ mode: 'empty' }, { mode: 'empty' }, {},
    { mode: 'empty' }] } }, async (relay, fake) => {
    for (let i = 0; i < 7; i++) {
      const answer = await relay.ask(stream());
      assert(answer.status === 200, i, answer);
    }
    const over = await relay.over();
    assert(over.reason === 'model_failed' && fake.requests.length === 7 &&
      over.message.includes('4 answers in a row without content'), over);
    assert((await relay.ask(stream())).status === 400);
  });

tests['a 200 without a byte is tried again'] = () => withRelay({ fake: { script: [
  { mode: 'nothing' }, {}] } }, async (relay, fake) => {
  assert((await relay.ask(stream())).text.includes('Hello'));
  assert(fake.requests.length === 2);
});

tests['events without content, for ever'] = () =>
  withRelay({ fake: { script: [{ mode: 'drip', delay_ms: 1 }] },
    setup: { max_hollow: 50 } }, async (relay, fake) => {
    const answer = await relay.ask(stream());
    const over = await relay.over();
    assert(answer.cut, answer);
    assert(over.message.includes('more than 50 events in a row without content'),
      over);
    while (fake.open) await new Promise((done) => setTimeout(done, 5));
  });

tests['1 MiB is an answer, 9 MiB is none'] = () =>
  withRelay({ fake: { script: [{ mode: 'big', bytes: 1 << 20 },
    { mode: 'big', bytes: 9 << 20 }] } }, async (relay) => {
    const one = await relay.ask(stream());
    assert(one.status === 200 && !one.cut && one.text.length > 1 << 20);
    const two = await relay.ask(stream());
    const over = await relay.over();
    assert(two.cut && two.text.length <= 8 << 20, two.text.length);
    assert(over.reason === 'model_failed' &&
      over.message.includes('more than 8388608 bytes'), over);
  });

tests['"length" and tokens that nobody told'] = () =>
  withRelay({ fake: { script: [{ mode: 'length' }, { mode: 'nousage' }] } },
    async (relay) => {
      const one = await relay.ask(stream());
      assert(one.text.includes('"length"'), one);
      await relay.ask(stream());
      const usage = await relay.end();
      assert(usage.estimated && usage.input_tokens > 100 &&
        usage.output_tokens === 20 + Math.ceil(21 / 4), usage);
    });

tests['the fallback, with its own key, model and price'] = async () => {
  const other = await startModel({ key: 'other-key' });
  await withRelay({ fake: { script: [{ mode: 'fail', status: 500 }] },
    model: { fallback: 'other' }, others: [modelOf(other, { name: 'other',
      key: 'other-key', model: 'theirs', allow: [],
      price: { input: 5000000, output: 0 } })] }, async (relay, fake) => {
    const answer = await relay.ask(stream());
    assert(answer.status === 200 && fake.requests.length === 3, answer);
    assert(other.requests[0].headers.authorization === 'Bearer other-key' &&
      other.requests[0].body.model === 'theirs', other.requests[0]);
    const usage = await relay.end();
    assert(usage.requests === 4 && usage.micro_usd === 500, usage);
    // Who was asked, and who is paid.
    const { default: first, other: second } = usage.models;
    assert(first.requests === 4 && first.micro_usd === 500 &&
      first.tokens === 120 && first.paid.requests === 3 &&
      first.paid.tokens === 0 && second.requests === 0 &&
      second.paid.requests === 1 && second.paid.micro_usd === 500,
    usage.models);
  });
  await other.stop();
};

tests['a model that failed is not asked by the next step'] = () =>
  withRelay({ fake: { script: [{ mode: 'fail', status: 401 }, {}] } },
    async (relay, fake) => {
      await relay.ask(chat());
      await relay.end();
      await relay.begin();
      assert((await relay.ask(chat())).status === 400 &&
        fake.requests.length === 1);
    });

// ---- TLS, and what is secret --------------------------------------------------

function certificate() {
  const key = path.join(tmp, 'key.pem'), cert = path.join(tmp, 'cert.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert,
    '-days', '2', '-subj', '/CN=127.0.0.1', '-addext',
    'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  fs.chmodSync(tmp, 0o755);
  fs.chmodSync(cert, 0o644);
  return { cert, tls: { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } };
}

tests['TLS: with the CA of the model, and not without'] = async () => {
  const { cert, tls } = certificate();
  await withRelay({ fake: { tls }, model: { ca: cert } }, async (relay) => {
    const answer = await relay.ask(chat());
    assert(answer.status === 200, answer, relay.frames);
  });
  await withRelay({ fake: { tls } }, async (relay, fake) => {
    assert((await relay.ask(chat())).status === 400);
    assert((await relay.over()).message.includes('certificate') &&
      !fake.requests.length);
  });
};

tests['names are looked up'] = () => withRelay({}, async (relay, fake) => {
  const named = await Relay.start({ models: [modelOf({ url:
    `http://localhost:${fake.port}/v1` })] });
  try {
    await named.begin();
    const answer = await named.ask(chat());
    assert(answer.status === 200, answer, named.frames);
  } finally {
    await named.stop();
  }
});

tests['the key is in no argument, variable or message; all rights are gone'] =
  () => withRelay({ fake: { script: [{}, { mode: 'fail', status: 403,
    text: `no ${KEY}` }] } }, async (relay) => {
    const proc = `/proc/${relay.child.pid}`;
    await relay.ask(stream());
    const answer = await relay.ask(stream());
    for (const file of ['cmdline', 'environ']) {
      let text = '';
      try { text = fs.readFileSync(`${proc}/${file}`, 'latin1'); } catch {
        /* not to be read at all: the better */
      }
      assert(!text.includes(KEY), file);
    }
    const status = fs.readFileSync(`${proc}/status`, 'latin1');
    assert(/CapEff:\t0+\n/.test(status) && /NoNewPrivs:\t1/.test(status) &&
      /Seccomp:\t2/.test(status), status);
    assert(!JSON.stringify([answer, relay.frames]).includes(KEY) &&
      !relay.errors.includes(KEY), answer, relay.frames, relay.errors);
  });

// ---- hostile clients ----------------------------------------------------------

function raw(relay, text) {
  return new Promise((done) => {
    const socket = net.connect(relay.port, '127.0.0.1');
    let got = '';
    socket.on('data', (data) => { got += data; });
    socket.on('close', () => done(got));
    socket.on('error', () => {});
    socket.write(text);
  });
}

tests['what is no request is refused'] = () => withRelay({}, async (relay, fake) => {
  const post = 'POST /v1/chat/completions HTTP/1.1\r\n';
  const cases = [
    ['hello\r\n\r\n', 400],
    [`${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    [`${post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    [`${post}Content-Length: -1\r\n\r\n`, 400],
    [`${post}Transfer-Encoding: gzip\r\n\r\n`, 501],
    [`${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    [`${post}Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n`, 413],
    [`${post}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n`, 415],
    [`${post}X: ${'a'.repeat(40000)}\r\n\r\n`, 431],
    [`${post}no field\r\n\r\n`, 400],
  ];
  for (const [text, status] of cases) {
    const answer = await raw(relay, text);
    assert(answer.startsWith(`HTTP/1.1 ${status} `), status, text.slice(0, 90),
      answer);
  }
  assert(!fake.requests.length);
});

tests['many that say nothing keep nobody out for long'] = () =>
  withRelay({}, async (relay) => {
    const sockets = Array.from({ length: 40 }, () => net.connect(relay.port,
      '127.0.0.1'));
    sockets.forEach((socket) => socket.on('error', () => {}));
    await new Promise((done) => setTimeout(done, 100));
    sockets.forEach((socket) => socket.destroy());
    assert((await relay.ask(chat())).status === 200);
  });

tests['more than eight at a time are told so'] = () =>
  withRelay({ fake: { script: [{ delay_ms: 3000 }] } }, async (relay) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () =>
      relay.ask(chat())));
    const count = (status) => answers.filter((a) => a.status === status).length;
    assert(count(200) === 8 && count(429) === 2, answers.map((a) => a.status));
    assert((await relay.end()).requests === 8);
  });

// -------------------------------------------------------------------------------

runTests(tests, () => fs.rmSync(tmp, { recursive: true, force: true }));
