#!/usr/bin/env node
// tests/fakes/model.js - a provider of models on the loopback, good or bad.
// SPDX-License-Identifier: Apache-2.0
//
// As a program: node model.js [--port N] [--key KEY] [--tls CERT KEY]
//     [--script JSON] [--record FILE]; prints {"port": N} when it listens.
//     POST /control {"script": [...]} sets what follows, GET /control gives
//     {"requests": [...], "open": N}.
// As a module: const model = await startModel({key, script, record, tls}); with
//     `answer`, a function that has the step of a request's body, no script.
//
// It speaks OpenAI's chat completions and responses and Anthropic's messages
// (below /v1), and answers 400 to what is none of them. `script` is a list of
// steps, one a request; the last one stays. A step:
//   {mode, text, pieces, tool: {name, arguments}, tools: [...], usage: {input,
//    output, cached, written, hours}, delay_ms, status, retry_after, bytes,
//    finish}
// Of Anthropic's tokens `written` go into its cache, `hours` of these for one.
// Modes: ok (text or tool calls), fail (status, retry_after), hang (no byte),
// stall (some of a stream, then no byte), cut (the same, then the connection),
// empty (a stream of events without content), nothing (a 200 without a body),
// big (bytes of content), tools (a call of a tool, each time), length (text,
// finished by "length"), nousage (text, and no word of tokens), drip (one
// empty event each delay_ms, for ever), slow (a byte of the head never comes).
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');

const USAGE = { input: 100, output: 20, cached: 0, written: 0, hours: 0 };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// What each kind of request has to be like; NULL when it is so.
function problem(kind, headers, body, key) {
  const anthropic = kind === 'messages';
  const given = anthropic ? headers['x-api-key'] : headers.authorization;
  const wanted = anthropic ? key : `Bearer ${key}`;
  if (key && given !== wanted) return [401, 'the key is wrong'];
  if (anthropic && !headers['anthropic-version'])
    return [400, 'anthropic-version is missing'];
  if (!body || typeof body !== 'object') return [400, 'the body is no JSON'];
  if (typeof body.model !== 'string') return [400, 'model is missing'];
  if (kind === 'responses' ? body.input === undefined :
    !Array.isArray(body.messages)) return [400, 'there are no messages'];
  if (anthropic && !(body.max_tokens > 0)) return [400, 'max_tokens is missing'];
  return null;
}

const callsOf = (step) =>
  (step.tools || (step.tool ? [step.tool] : [])).map((tool, i) => ({
    id: `call_${i + 1}`, name: tool.name,
    text: typeof tool.arguments === 'string' ? tool.arguments :
      JSON.stringify(tool.arguments || {}) }));

// ---- the events of a stream ---------------------------------------------------

const plain = (data) => `data: ${JSON.stringify(data)}\n\n`;
const named = (type, data) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

function chatEvents(step, pieces, body) {
  const chunk = (choices, more) => plain({ id: 'chatcmpl-1',
    object: 'chat.completion.chunk', created: 1, model: body.model, choices,
    ...more });
  const delta = (fields, finish = null) =>
    chunk([{ index: 0, delta: fields, finish_reason: finish }]);
  const calls = callsOf(step);
  const out = [delta({ role: 'assistant', content: '' })];
  pieces.forEach((content) => out.push(delta({ content })));
  calls.forEach((call, index) => out.push(
    delta({ tool_calls: [{ index, id: call.id, type: 'function',
      function: { name: call.name, arguments: '' } }] }),
    delta({ tool_calls: [{ index, function: { arguments: call.text } }] })));
  out.push(delta({}, step.finish || (calls.length ? 'tool_calls' : 'stop')));
  if (step.usage && body.stream_options && body.stream_options.include_usage)
    out.push(chunk([], { usage: chatUsage(step.usage) }));
  out.push('data: [DONE]\n\n');
  return out;
}

const messageUsage = (usage) => ({
  input_tokens: usage.input - usage.cached - usage.written,
  cache_read_input_tokens: usage.cached,
  cache_creation_input_tokens: usage.written,
  cache_creation: { ephemeral_5m_input_tokens: usage.written - usage.hours,
    ephemeral_1h_input_tokens: usage.hours } });

function messageEvents(step, pieces, body) {
  const out = [named('message_start', { message: { id: 'msg_1', type: 'message',
    role: 'assistant', model: body.model, content: [], stop_reason: null,
    usage: step.usage && { ...messageUsage(step.usage), output_tokens: 1 } } })];
  let index = 0;
  if (pieces.length) {
    out.push(named('content_block_start', { index,
      content_block: { type: 'text', text: '' } }));
    pieces.forEach((text) => out.push(named('content_block_delta', { index,
      delta: { type: 'text_delta', text } })));
    out.push(named('content_block_stop', { index: index++ }));
  }
  const calls = callsOf(step);
  calls.forEach((call) => {
    out.push(named('content_block_start', { index, content_block: {
      type: 'tool_use', id: call.id, name: call.name, input: {} } }));
    out.push(named('content_block_delta', { index,
      delta: { type: 'input_json_delta', partial_json: call.text } }));
    out.push(named('content_block_stop', { index: index++ }));
  });
  out.push(named('message_delta', { delta: { stop_reason: step.finish ||
    (calls.length ? 'tool_use' : 'end_turn') },
  usage: step.usage && { output_tokens: step.usage.output } }));
  out.push(named('message_stop', {}));
  return out;
}

function responseEvents(step, pieces, body) {
  const out = [named('response.created', { response: { id: 'resp_1',
    object: 'response', status: 'in_progress', model: body.model,
    output: [] } })];
  pieces.forEach((delta) => out.push(named('response.output_text.delta',
    { item_id: 'item_1', output_index: 0, content_index: 0, delta })));
  callsOf(step).forEach((call) => out.push(
    named('response.function_call_arguments.delta', { item_id: call.id,
      output_index: 0, delta: call.text }),
    named('response.output_item.done', { output_index: 0, item: {
      type: 'function_call', call_id: call.id, name: call.name,
      arguments: call.text } })));
  out.push(named('response.completed', { response: whole('responses', step,
    pieces.join(''), body) }));
  return out;
}

// ---- answers in one piece -----------------------------------------------------

const chatUsage = (usage) => ({ prompt_tokens: usage.input,
  completion_tokens: usage.output, total_tokens: usage.input + usage.output,
  prompt_tokens_details: { cached_tokens: usage.cached } });

function whole(kind, step, text, body) {
  const calls = callsOf(step);
  const usage = step.usage;
  if (kind === 'chat/completions')
    return { id: 'chatcmpl-1', object: 'chat.completion', created: 1,
      model: body.model, choices: [{ index: 0, message: { role: 'assistant',
        content: text || null, tool_calls: calls.length ? calls.map((call) => ({
          id: call.id, type: 'function',
          function: { name: call.name, arguments: call.text } })) : undefined },
      finish_reason: step.finish || (calls.length ? 'tool_calls' : 'stop') }],
      usage: usage && chatUsage(usage) };
  if (kind === 'messages')
    return { id: 'msg_1', type: 'message', role: 'assistant', model: body.model,
      content: [...(text ? [{ type: 'text', text }] : []),
        ...calls.map((call) => ({ type: 'tool_use', id: call.id,
          name: call.name, input: JSON.parse(call.text) }))],
      stop_reason: step.finish || (calls.length ? 'tool_use' : 'end_turn'),
      usage: usage && { ...messageUsage(usage), output_tokens: usage.output } };
  return { id: 'resp_1', object: 'response', status: 'completed',
    model: body.model, output: [...(text ? [{ type: 'message',
      role: 'assistant', content: [{ type: 'output_text', text }] }] : []),
    ...calls.map((call) => ({ type: 'function_call', call_id: call.id,
      name: call.name, arguments: call.text }))],
    usage: usage && { input_tokens: usage.input, output_tokens: usage.output,
      total_tokens: usage.input + usage.output,
      input_tokens_details: { cached_tokens: usage.cached } } };
}

// ---- the server ---------------------------------------------------------------

const EVENTS = { 'chat/completions': chatEvents, messages: messageEvents,
  responses: responseEvents };

async function stream(response, kind, step, text, body) {
  const pieces = text ? step.pieces || text.match(/[\s\S]{1,16384}/g) : [];
  const events = EVENTS[kind](step, pieces, body);
  const some = step.mode === 'stall' || step.mode === 'cut';
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const event of some ? events.slice(0, 2) : events) {
    if (response.destroyed) return;
    if (!response.write(event))
      await new Promise((done) => {
        const go = () => {
          response.off('drain', go).off('close', go);
          done();
        };
        response.on('drain', go).on('close', go);
      });
    if (step.delay_ms) await wait(step.delay_ms);
  }
  if (step.mode === 'cut') setTimeout(() => response.destroy(), 20);
  else if (step.mode !== 'stall') response.end();
}

async function drip(response, step) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  while (!response.destroyed) {
    response.write(plain({ choices: [] }));
    await wait(step.delay_ms || 5);
  }
}

async function act(model, kind, body, response) {
  const script = model.script;
  const step = { mode: 'ok', usage: USAGE, ...(model.answer ?
    model.answer(body) : script.length > 1 ? script.shift() : script[0]) };
  step.usage = { ...USAGE, ...step.usage };
  let text = step.text;
  if (step.mode === 'nousage') step.usage = undefined;
  if (step.mode === 'tools' && !step.tool) step.tool = { name: 'look' };
  if (step.mode === 'length')
    step.finish = kind === 'messages' ? 'max_tokens' : 'length';
  if (step.mode === 'big') text = 'x'.repeat(step.bytes || 1 << 20);
  if (text === undefined && !callsOf(step).length && step.mode !== 'empty')
    text = step.pieces ? step.pieces.join('') : 'Hello from the model.';
  if (step.mode === 'hang') return;
  if (step.mode === 'slow') {
    response.socket.write('HTTP/1.1 200 OK\r\nContent-');
    return;
  }
  if (step.mode === 'fail') {
    const headers = { 'Content-Type': 'application/json' };
    if (step.retry_after !== undefined)
      headers['Retry-After'] = String(step.retry_after);
    response.writeHead(step.status || 500, headers);
    response.end(JSON.stringify({ error: { message: step.text ||
      `the fake says ${step.status || 500}` } }));
    return;
  }
  if (step.mode === 'nothing') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end();
  } else if (step.mode === 'drip') {
    await drip(response, step);
  } else if (body.stream) {
    await stream(response, kind, step, text || '', body);
  } else {
    if (step.delay_ms) await wait(step.delay_ms);
    const answer = JSON.stringify(whole(kind, step, text || '', body));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    if (step.mode === 'stall') response.write(answer.slice(0, 20));
    else if (step.mode === 'cut') {
      response.write(answer.slice(0, 20));
      setTimeout(() => response.destroy(), 20);
    } else response.end(answer);
  }
}

function control(model, request, text, response) {
  if (request.method === 'POST')
    model.script = JSON.parse(text).script;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ requests: model.requests, open: model.open }));
}

function take(model, request, response) {
  const chunks = [];
  model.open++;
  response.on('close', () => { model.open--; });
  response.on('error', () => {});
  request.on('data', (data) => chunks.push(data));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    const kind = request.url.replace(/^\/v1\//, '');
    let body = null;
    if (request.url === '/control') {
      control(model, request, text, response);
      return;
    }
    try { body = JSON.parse(text); } catch { /* told below */ }
    const seen = { at: Date.now(), method: request.method, url: request.url,
      headers: request.headers, body };
    model.requests.push(seen);
    if (model.record)
      fs.appendFileSync(model.record, `${JSON.stringify(seen)}\n`);
    const wrong = !(request.method === 'POST' && EVENTS[kind]) ?
      [404, `there is no ${request.method} ${request.url}`] :
      problem(kind, request.headers, body, model.key);
    if (!wrong) {
      act(model, kind, body, response);
      return;
    }
    response.writeHead(wrong[0], { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ error: { message: wrong[1] } }));
  });
}

// {port, url, requests, open, script (may be set), stop()}.
function startModel({ key = '', script = [{}], answer, record, tls,
  port = 0 } = {}) {
  const model = { key, script, answer, record, requests: [], open: 0 };
  const handler = (request, response) => take(model, request, response);
  const server = tls ? https.createServer(tls, handler) :
    http.createServer(handler);
  model.stop = () => new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  return new Promise((done, fail) => {
    server.on('error', fail);
    server.listen(port, '127.0.0.1', () => {
      model.port = server.address().port;
      model.url = `http${tls ? 's' : ''}://127.0.0.1:${model.port}/v1`;
      done(model);
    });
  });
}

module.exports = { startModel };

if (require.main === module) {
  const options = {};
  const args = process.argv.slice(2);
  while (args.length) {
    const name = args.shift();
    if (name === '--tls')
      options.tls = { cert: fs.readFileSync(args.shift()),
        key: fs.readFileSync(args.shift()) };
    else if (name === '--script') options.script = JSON.parse(args.shift());
    else if (name === '--port') options.port = Number(args.shift());
    else options[name.slice(2)] = args.shift();
  }
  startModel(options).then((model) =>
    console.log(JSON.stringify({ port: model.port })));
}
