-- list.lua - some jobs, for people.
-- ARGV which (running, ready, delayed, blocked, done, dead) limit, or `id` and
-- ids
-- -> a row a job: id and the fields below, '' for what is not there
local which, limit = ARGV[1], tonumber(ARGV[2])
local ids, rows = {}, {}

local function add(list)
    for _, id in ipairs(list) do
        if #ids < limit then
            ids[#ids + 1] = id
        end
    end
end

if which == 'running' then
    for _, slot in ipairs(call('ZRANGE', P .. 'slots', 0, limit - 1)) do
        add({string.match(slot, '^([^:]*)')})
    end
    add(call('ZRANGE', P .. 'runs', 0, limit - 1))
elseif which == 'ready' then
    each_lane(function(lane)
        if #ids < limit then
            add(call('ZRANGE', lane, 0, limit - #ids - 1))
        end
    end)
elseif which == 'blocked' then
    for _, group in ipairs(call('HKEYS', P .. 'groups')) do
        if #ids < limit then
            add(call('ZRANGE', P .. 'group:' .. group, 0, limit - #ids - 1))
        end
    end
elseif which == 'delayed' then
    add(call('ZRANGE', P .. 'delayed', 0, limit - 1))
elseif which == 'id' then
    for i = 2, #ARGV do
        ids[i - 1] = ARGV[i]
    end
else
    add(call('ZREVRANGE', P .. which, 0, limit - 1))
end
for _, id in ipairs(ids) do
    local f = call('HMGET', P .. 'job:' .. id, 'state', 'kind', 'class',
                   'tenant', 'pipeline', 'labels', 'worker', 'epoch', 'reason',
                   'cancel', 'parent', 'about', 'submitted_at_ms',
                   'not_before_ms', 'started_at_ms', 'ended_at_ms')
    if f[1] then
        for i = 1, 16 do
            f[i] = f[i] or ''
        end
        table.insert(f, 1, id)
        rows[#rows + 1] = f
    end
end
return rows
