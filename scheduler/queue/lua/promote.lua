-- promote.lua - what the clock alone moves.
-- ARGV aging_ms rand
-- -> {begun, expired, aged, when the next delayed job is due (0: none), now}
-- Delayed jobs that are due begin. Jobs that were not started by their
-- deadline end as expired. What has waited for aging_ms rises a class, and
-- again after the next. Lanes that were set aside come back.
local LIMIT, LANES, HEADS = 256, 64, 16
local aging_ms, rand = tonumber(ARGV[1]), tonumber(ARGV[2])
local begun, expired, aged = 0, 0, 0

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'delayed', '-inf', now,
                         'LIMIT', 0, LIMIT)) do
    local f = load_job(id)
    call('ZREM', P .. 'delayed', id)
    if f.state == 'delayed' then
        enter(id, f)
        begun = begun + 1
    end
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now,
                         'LIMIT', 0, LIMIT)) do
    local f = load_job(id)
    call('ZREM', P .. 'deadlines', id)
    if f.state == 'ready' or f.state == 'delayed' or f.state == 'blocked' then
        leave(id, f)
        end_job(id, f, 'failed', 'expired')
        expired = expired + 1
    end
end

local function age_lane(labels, member)
    local class, tenant = tonumber(string.sub(member, 1, 1)),
                          string.sub(member, 3)
    local lane = P .. 'ready:' .. member .. ':' .. labels
    for _, id in ipairs(call('ZRANGE', lane, 0, HEADS - 1)) do
        local f = load(P .. 'job:' .. id, 'priority', 'seq')
        local rises = (tonumber(f.priority) or class) - class + 1
        if not f.seq or now - tonumber(f.seq) / 1000 < aging_ms * rises then
            return
        end
        call('ZREM', lane, id)
        call('HSET', P .. 'job:' .. id, 'class', class - 1)
        make_ready(id, {class = text(class - 1), tenant = tenant,
                        labels = labels, seq = f.seq})
        aged = aged + 1
    end
end

local function age(labels)
    local act = P .. 'act:' .. labels
    local count = call('ZCOUNT', act, BAND, '+inf') -- urgent ones cannot rise
    local skip = math.floor(rand * math.max(0, count - LANES + 1))
    for _, member in ipairs(call('ZRANGEBYSCORE', act, BAND, '+inf', 'LIMIT',
                                 skip, LANES)) do
        age_lane(labels, member)
    end
end

unpark_some(LIMIT)
if aging_ms > 0 then
    age('')
    for _, labels in ipairs(call('SRANDMEMBER', P .. 'labels', 8)) do
        age(labels)
    end
end
local first = call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')
return {begun, expired, aged, first[2] or '0', stamp}
