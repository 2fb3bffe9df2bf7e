-- list.lua - some jobs, for people.
-- ARGV which limit n, the names of n fields (the first is `state`), then ids
-- which: running (runs, too), ready, delayed, blocked, done, dead; `id`, those
-- that follow; `run`, the jobs of the run that follows, in their order
-- -> {now, then a row a job: id and its fields, '' for what is not there}
local which, limit = ARGV[1], tonumber(ARGV[2])
local names = {unpack(ARGV, 4, 3 + ARGV[3])}
local from = 4 + ARGV[3] -- of the ids
local ids, states, answer = {}, {}, {stamp}

local function add(list)
    for _, id in ipairs(list) do
        if #ids < limit then
            ids[#ids + 1] = id
        end
    end
end

-- What was skipped was never put in: only its run knows of it.
local function add_children(run)
    local known = call('HGETALL', P .. 'run:' .. run)
    local order = {}
    for i = 1, #known, 2 do
        local index = tonumber(known[i])
        if index then
            order[#order + 1] = index
            states[run .. '-' .. text(index + 1)] = known[i + 1]
        end
    end
    table.sort(order)
    for _, index in ipairs(order) do
        add({run .. '-' .. text(index + 1)})
    end
end

-- By class, then age: about the order in which they are given out, which
-- fairness, caps and labels change.
local function add_ready()
    local found = {}
    each_lane(function(lane, class)
        if #found >= 10 * limit then
            return
        end
        local page = call('ZRANGE', lane, 0, limit - 1, 'WITHSCORES')
        for i = 1, #page, 2 do
            found[#found + 1] = {page[i], class, tonumber(page[i + 1])}
        end
    end)
    table.sort(found, function(a, b)
        if a[2] ~= b[2] then
            return a[2] < b[2]
        end
        return a[3] < b[3]
    end)
    for _, job in ipairs(found) do
        add({job[1]})
    end
end

if which == 'running' then
    add(call('ZRANGE', P .. 'runs', 0, limit - 1))
    for _, slot in ipairs(call('ZRANGE', P .. 'slots', 0, limit - 1)) do
        add({string.match(slot, '^([^:]*)')})
    end
elseif which == 'ready' then
    add_ready()
elseif which == 'blocked' then
    each_group(function(group)
        if #ids < limit then
            add(call('ZRANGE', group, 0, limit - #ids - 1))
        end
    end)
elseif which == 'delayed' then
    add(call('ZRANGE', P .. 'delayed', 0, limit - 1))
elseif which == 'id' then
    for i = from, #ARGV do -- unpack() has its limits
        add({ARGV[i]})
    end
elseif which == 'run' then
    add_children(ARGV[from])
else
    add(call('ZREVRANGE', P .. which, 0, limit - 1))
end
for _, id in ipairs(ids) do
    local job = P .. 'job:' .. id
    local f = call('HMGET', job, unpack(names))
    if states[id] and call('HGET', job, 'parent') ~= ARGV[from] then
        f = {} -- another's, of the same id
    end
    f[1] = f[1] or states[id]
    if f[1] then
        for i = 1, #names do
            f[i] = f[i] or ''
        end
        table.insert(f, 1, id)
        answer[#answer + 1] = f
    end
end
return answer
