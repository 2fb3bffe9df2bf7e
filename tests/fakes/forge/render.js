// tests/fakes/forge/render.js - a change as people see it, as Markdown.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { findLine } = require('./validate');

const CONTEXT = 3;
const MARKS = { success: '✓', failure: '✗', failed: '✗', error: '✗',
  neutral: '–', skipped: '–', cancelled: '⊘', canceled: '⊘', timed_out: '✗',
  action_required: '!', pending: '…', queued: '…', running: '…',
  in_progress: '…' };

// Marks for programs are not seen.
const seen = (text) => (text || '').replace(/<!--[\s\S]*?-->/g, '').trim();
const quote = (text) => seen(text).split('\n').map((l) => `> ${l}`.trimEnd())
  .join('\n');

function checkLines(run) {
  const state = run.conclusion || run.status;
  const out = [`### ${MARKS[state] || '?'} ${run.name}: ${state}`, ''];
  if (run.output?.title) out.push(`**${run.output.title}**`, '');
  if (run.output?.summary) out.push(seen(run.output.summary), '');
  if (run.output?.text) out.push(seen(run.output.text), '');
  for (const a of run.annotations) {
    const lines = a.start_line === a.end_line ? a.start_line
      : `${a.start_line}-${a.end_line}`;
    out.push(`- ${a.annotation_level} \`${a.path}:${lines}\` ` +
      `${a.title ? `**${a.title}** ` : ''}${a.message.split('\n')[0]}`);
  }
  if (run.annotations.length) out.push('');
  if (run.actions?.length)
    out.push(run.actions.map((a) => `[${a.label}]`).join(' '), '');
  return out;
}

function statusLines(repo, sha) {
  const latest = new Map();
  for (const s of repo.statuses.filter((one) => one.sha === sha))
    latest.set((s.context || s.name).toLowerCase(), s);
  const out = [...latest.values()].map((s) => `- ${MARKS[s.state] || '?'} ` +
    `${s.context || s.name}: ${s.state}${s.description
      ? ` — ${s.description}` : ''}`);
  return out.length ? [...out, ''] : [];
}

// The lines above a comment, as in the host's view of the diff.
function codeLines(fake, change, t) {
  const file = fake.store.diff(change).files
    .find((f) => f.newPath === t.path || f.oldPath === t.path);
  const found = file && t.line && findLine(file, t.side, t.line);
  if (!found) return [];
  const at = found.hunk.lines.findIndex((l) => l.type === found.type &&
    l.old === found.old && l.new === found.new);
  const first = t.start_line ? found.hunk.lines.findIndex((l) =>
    l[t.start_side || t.side] === t.start_line) : at;
  return ['```diff', ...found.hunk.lines
    .slice(Math.max(0, Math.min(first, at - CONTEXT)), at + 1)
    .map((l) => l.type + l.text), '```'];
}

function threadLines(fake, change, t) {
  const words = [t.outdated && 'outdated', t.resolved && 'resolved',
    t.notes[0].minimized && `hidden as ${t.notes[0].minimized}`].filter(Boolean);
  const lines = t.start_line ? `${t.start_line}-${t.line}` : t.line;
  const out = [`#### \`${t.path}\`${t.line ? `, line ${lines}` : ''}` +
    (t.side === 'old' ? ' (removed)' : '') +
    (words.length ? ` (${words.join(', ')})` : ''), ''];
  if (!t.outdated) out.push(...codeLines(fake, change, t), '');
  for (const note of t.notes)
    out.push(`**${note.author}**:`, '', quote(note.body), '');
  return out;
}

function changeLines(fake, repo, change) {
  const out = [`# ${change.title} #${change.number}`, '',
    `${change.author} wants to merge \`${change.head_ref}\` into ` +
    `\`${change.base_ref}\` (${change.state}${change.draft ? ', draft' : ''})`, ''];
  const hidden = new Set(change.reviews.filter((r) => r.state === 'PENDING')
    .map((r) => r.id));
  if (change.comments.length) out.push('## Conversation', '');
  for (const note of change.comments)
    out.push(`**${note.author}**:`, '', seen(note.body), '');
  const reviews = change.reviews.filter((r) => !hidden.has(r.id) &&
    (seen(r.body) || r.state !== 'COMMENTED'));
  if (reviews.length) out.push('## Reviews', '');
  for (const r of reviews)
    out.push(`**${r.author}** ${r.state.toLowerCase().replace('_', ' ')}:`, '',
      seen(r.body), '');
  const threads = change.threads.filter((t) => !t.individual &&
    !hidden.has(t.notes[0].review));
  if (threads.length) out.push('## Files', '');
  for (const t of threads) out.push(...threadLines(fake, change, t));
  return out;
}

// {repo, number} or {repo, sha}
function render(fake, { repo: name, number, sha }) {
  const repo = fake.store.repo(name);
  const change = number ? fake.store.change(name, number) : null;
  if (number && !change) throw new Error(`no change ${number}`);
  const commit = change?.head_sha || sha;
  const out = change ? changeLines(fake, repo, change) : [`# ${commit}`, ''];
  const runs = repo.checks.filter((r) => r.head_sha === commit);
  const checks = [...statusLines(repo, commit), ...runs.flatMap(checkLines)];
  if (checks.length) out.push('## Checks', '', ...checks);
  return out.join('\n').replace(/\n{3,}/g, '\n\n').trimEnd() + '\n';
}

module.exports = { render };
