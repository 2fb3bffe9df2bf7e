-- deliveries.lua - what Git hosts sent, and how much memory it takes.
-- Those that wait are in deliveries:waiting:<forge> and are never dropped, all
-- others in deliveries, the oldest first.
local FORGES = {'github', 'gitlab', 'gitea'}
local OVERHEAD = 1024 -- of a hash and its places, besides the body
local LIMIT = 128

local function total_bytes()
    return tonumber(call('HGET', P .. 'delivery_sizes', 'total')) or 0
end

local function drop_delivery(id)
    local size = call('HGET', P .. 'delivery_sizes', id)
    call('DEL', P .. 'delivery:' .. id)
    call('ZREM', P .. 'deliveries', id)
    if size then
        call('HDEL', P .. 'delivery_sizes', id)
        call('HINCRBY', P .. 'delivery_sizes', 'total', '-' .. size)
    end
end

-- Where it waits, if it does.
local function waiting_of(id)
    return P .. 'deliveries:waiting:' ..
        (call('HGET', P .. 'delivery:' .. id, 'forge') or '')
end

-- What is too old, and what has to go so that `bytes` more fit the budget.
-- Whether they do now.
local function make_room(bytes, budget, kept_ms)
    for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deliveries', '-inf',
                             now - kept_ms, 'LIMIT', 0, LIMIT)) do
        drop_delivery(id)
    end
    while total_bytes() + bytes > budget do
        local oldest = call('ZRANGE', P .. 'deliveries', 0, 0)[1]
        if not oldest then
            return false
        end
        drop_delivery(oldest)
    end
    return true
end

-- One that something is to be done for, from now on; a scheduler is told.
local function wait_delivery(id)
    local key = P .. 'delivery:' .. id
    call('HSET', key, 'state', 'waiting')
    call('HDEL', key, 'reason', 'settled_at_ms', 'attempts', 'started_at_ms',
         'claim')
    call('PERSIST', key)
    call('ZREM', P .. 'deliveries', id)
    call('ZADD', waiting_of(id), stamp, id)
    if call('LLEN', P .. 'wake') == 0 then
        call('LPUSH', P .. 'wake', 'delivery')
        call('PEXPIRE', P .. 'wake', 60000)
    end
end

-- A delivery that nothing is to be done for any more.
local function settle(id, state, reason, kept_ms)
    local key = P .. 'delivery:' .. id
    call('HSET', key, 'state', state, 'reason', reason, 'settled_at_ms', stamp)
    call('PEXPIRE', key, kept_ms)
    call('ZADD', P .. 'deliveries', stamp, id)
end
