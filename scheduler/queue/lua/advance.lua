-- advance.lua - carry out what was decided about the jobs of a run.
-- ARGV run rev done, n of children to be skipped, their indices, n to be
-- cancelled, their indices, state reason result (state '': goes on), then
-- for each child to begin its index and what accept.lua takes
-- -> 'ok'; 'stale': the run moved since `rev` was read, or is to end while a
-- child does not: decide again; 'lost'
-- `done`: 1, nothing is left to be decided until a child ends. What one that is
-- cancelled here, and ends at once, makes due was not known then: the run stays
-- among those to be decided.
local id, rev = ARGV[1], ARGV[2]
local run = P .. 'run:' .. id
local f = load_job(id)
local at = 4

if f.kind ~= 'run' or f.state ~= 'running' then
    call('ZREM', P .. 'dirty', id)
    return 'lost'
end
if (call('HGET', run, 'rev') or '0') ~= rev then
    return 'stale'
end

local function list()
    local items, count = {}, tonumber(ARGV[at])
    for i = 1, count do
        items[i] = ARGV[at + i]
    end
    at = at + count + 1
    return items
end

-- Make place for a child. What an earlier try of the run left goes, but for its
-- epoch. 'failed': the id is somebody else's; 'active': it is there already.
local function replace(child)
    local job = P .. 'job:' .. child
    local old = load(job, 'epoch', 'parent', 'state')
    if old.state and old.parent ~= id then
        return 'failed'
    elseif waits_or_runs(old.state) then
        return 'active'
    end
    call('DEL', job)
    call('ZREM', P .. 'done', child)
    call('ZREM', P .. 'dead', child)
    if old.epoch then
        call('HSET', job, 'epoch', old.epoch)
    end
    return 'new'
end

local moved = ARGV[3] ~= '1'
for _, index in ipairs(list()) do
    call('HSET', run, index, 'skipped')
end
for _, index in ipairs(list()) do
    moved = cancel(id .. '-' .. text(index + 1), f.cancel or 'cancelled') ==
        'cancelled' or moved
end
local state, reason, result = ARGV[at], ARGV[at + 1], ARGV[at + 2]
for child = at + 3, #ARGV, JOB_ARGS + 1 do
    local what = replace(ARGV[child + 1])
    call('HSET', run, ARGV[child], what == 'failed' and what or 'active')
    if what == 'new' then
        accept(child + 1, f.seq + ARGV[child], id, ARGV[child])
    elseif what == 'failed' then
        moved = true -- nothing else would tell
    end
end
call('HINCRBY', run, 'rev', 1)
if state ~= '' then
    for _, word in ipairs(call('HVALS', run)) do
        if word == 'active' then
            return 'stale'
        end
    end
    end_job(id, f, state, reason, result)
elseif not moved then
    call('ZREM', P .. 'dirty', id)
end
return 'ok'
