-- audit.lua - what does not fit together, for tests.
-- ARGV limit (of complaints)
-- -> complaints, as text; none is good
local limit = tonumber(ARGV[1])
local wrong, seen, held = {}, {}, {}
local live = {ready = true, delayed = true, blocked = true, running = true}

local function complain(...)
    if #wrong < limit then
        wrong[#wrong + 1] = table.concat({...}, ' ')
    end
end

local function expect(id, state, where)
    local f = load(P .. 'job:' .. id, 'state')
    if f.state ~= state then
        complain('job', id, 'is in', where, 'and its state is',
                 f.state or 'none')
    end
    if seen[id] then
        complain('job', id, 'is in', seen[id], 'and in', where)
    end
    seen[id] = where
end

local max = tonumber(conf.max_instances)
local slots = call('ZRANGE', P .. 'slots', 0, -1)
if max and #slots > max then
    complain('there are', text(#slots), 'slots, over', text(max))
end
for _, slot in ipairs(slots) do
    local id, epoch = string.match(slot, '^([^:]*):(%d+):')
    local f = load(P .. 'job:' .. id, 'epoch', 'worker')
    expect(id, 'running', 'slots')
    if f.epoch ~= epoch then
        complain('slot', slot, 'is of another epoch')
    end
    held[f.worker or ''] = held[f.worker or ''] or {}
    held[f.worker or ''][id] = true
end
for worker, ids in pairs(held) do
    for _, id in ipairs(call('SMEMBERS', P .. 'held:' .. worker)) do
        if not ids[id] then
            complain('worker', worker, 'holds', id .. ', which has no slot')
        end
        ids[id] = nil
    end
    for id in pairs(ids) do
        complain('job', id, 'is not among those that', worker, 'holds')
    end
end
local counts, counted = count_slots(), call('HGETALL', P .. 'running')
for i = 1, #counted, 2 do
    if tostring(counts[counted[i]]) ~= counted[i + 1] then
        complain(counted[i], 'has', text(counts[counted[i]] or 0),
                 'slots, counted as', counted[i + 1])
    end
    counts[counted[i]] = nil
end
for name, number in pairs(counts) do
    complain(name, 'has', text(number), 'slots, which are not counted')
end
each_lane(function(lane, class, tenant, labels)
    for _, id in ipairs(call('ZRANGE', lane, 0, -1)) do
        local f = load(P .. 'job:' .. id, 'class', 'tenant', 'labels')
        expect(id, 'ready', 'ready')
        if f.class ~= class or f.tenant ~= tenant or
            (f.labels or '') ~= labels then
            complain('job', id, 'is in a wrong lane')
        end
    end
end)
for _, id in ipairs(call('ZRANGE', P .. 'delayed', 0, -1)) do
    expect(id, 'delayed', 'delayed')
end
for _, id in ipairs(call('ZRANGE', P .. 'runs', 0, -1)) do
    expect(id, 'running', 'runs')
    local children = call('HGETALL', P .. 'run:' .. id)
    for i = 1, #children, 2 do
        if children[i + 1] == 'active' then
            local child = id .. '-' .. text(children[i] + 1)
            local state = load(P .. 'job:' .. child, 'state').state or 'none'
            if not live[state] then
                complain('run', id, 'waits for', child .. ', which is', state)
            end
        end
    end
end
for _, id in ipairs(call('ZRANGE', P .. 'deadlines', 0, -1)) do
    local state = load(P .. 'job:' .. id, 'state').state or 'none'
    if not live[state] then
        complain('job', id, 'has a deadline and is', state)
    end
end
local groups = call('HGETALL', P .. 'groups')
for i = 1, #groups, 2 do
    local f = load(P .. 'job:' .. groups[i + 1], 'state', 'group')
    if f.state ~= 'ready' and f.state ~= 'running' and f.state ~= 'delayed' or
        f.group ~= groups[i] then
        complain('group', groups[i], 'is held by', groups[i + 1] .. ', which is',
                 f.state or 'none')
    end
    for _, id in ipairs(call('ZRANGE', P .. 'group:' .. groups[i], 0, -1)) do
        expect(id, 'blocked', 'group')
    end
end
for _, id in ipairs(call('ZRANGE', P .. 'done', 0, -1)) do
    local f = load(P .. 'job:' .. id, 'state', 'ended_at_ms')
    if f.state and not f.ended_at_ms then
        complain('job', id, 'is in done and', f.state)
    end
    if seen[id] then
        complain('job', id, 'is in done and in', seen[id])
    end
end
for _, host in ipairs(HOSTS) do
    for _, id in ipairs(call('ZRANGE', P .. 'outbox:' .. host, 0, -1)) do
        local f = load(P .. 'job:' .. id, 'state', 'report')
        if f.state and host_of(read_report(f.report)) ~= host then
            complain('job', id, 'is to be told to', host, 'by mistake')
        end
        if call('ZSCORE', P .. 'unreported', id) then
            complain('job', id, 'is in outbox and in unreported')
        end
    end
end
local sizes, sum = call('HGETALL', P .. 'log_sizes'), 0
local total = 0
for i = 1, #sizes, 2 do
    if sizes[i] == 'total' then
        total = tonumber(sizes[i + 1])
    else
        sum = sum + sizes[i + 1]
        if not call('ZSCORE', P .. 'logs', sizes[i]) then
            complain('log', sizes[i], 'is counted, and in no order')
        end
    end
end
if sum ~= total then
    complain('logs have', text(sum), 'bytes, counted as', text(total))
end
return wrong
