-- lease.lua - reap what expired, then grant the next ready job.
-- KEYS[1] berth:{pool}:
-- ARGV tenant worker nonce max_instances lease_ms kill_grace_ms keep_ms
-- -> {id, epoch, payload} or {} when no job or no slot is free
local pool, tenant, worker, nonce = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local max_instances, lease_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local grace_ms, keep_ms = tonumber(ARGV[6]), tonumber(ARGV[7])
local LIMIT = 16 -- reaped, and dangling ids passed over, in one call
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function int(n)
    return string.format('%.0f', n)
end

local function reap(slot)
    local id, epoch = string.match(slot, '^(.*):(%d+)$')
    local job = pool .. 'job:' .. id
    local f = redis.call('HMGET', job, 'state', 'epoch', 'nonce')

    redis.call('ZREM', pool .. 'slots', slot)
    if f[1] ~= 'running' or f[2] ~= epoch then
        return
    end
    -- Without a nonce no zombie can complete or renew it.
    redis.call('HDEL', job, 'nonce', 'payload')
    redis.call('HSET', job, 'state', 'failed', 'reason', 'worker_lost',
               'ended_at_ms', int(now))
    redis.call('ZREM', pool .. 'leases', id)
    redis.call('DEL', pool .. 'grant:' .. f[3])
    redis.call('ZADD', pool .. 'done', int(now), id)
    redis.call('ZREMRANGEBYSCORE', pool .. 'done', '-inf',
               int(now - keep_ms))
    redis.call('PEXPIRE', pool .. 'done', keep_ms)
    redis.call('PEXPIRE', job, keep_ms)
end

for _, slot in ipairs(redis.call('ZRANGEBYSCORE', pool .. 'slots', '-inf',
                                 int(now), 'LIMIT', 0, LIMIT)) do
    reap(slot)
end

-- The answer to this very request was lost: give it again.
local again = redis.call('GET', pool .. 'grant:' .. nonce)
if again then
    local f = redis.call('HMGET', pool .. 'job:' .. again, 'state', 'nonce',
                         'epoch', 'payload')
    if f[1] == 'running' and f[2] == nonce then
        return {again, f[3], f[4]}
    end
end

if redis.call('ZCARD', pool .. 'slots') >= max_instances then
    return {}
end
for _ = 1, LIMIT do
    local popped = redis.call('ZPOPMIN', pool .. 'ready:' .. tenant)
    local id = popped[1]
    if not id then
        return {}
    end
    local job = pool .. 'job:' .. id
    if redis.call('HGET', job, 'state') == 'ready' then
        local epoch = redis.call('HINCRBY', job, 'epoch', 1)
        redis.call('HINCRBY', job, 'attempt', 1)
        redis.call('HSET', job, 'state', 'running', 'nonce', nonce,
                   'worker', worker, 'started_at_ms', int(now))
        redis.call('ZADD', pool .. 'leases', int(now + lease_ms), id)
        redis.call('ZADD', pool .. 'slots', int(now + lease_ms + grace_ms),
                   id .. ':' .. epoch)
        redis.call('SET', pool .. 'grant:' .. nonce, id, 'PX', lease_ms)
        return {id, tostring(epoch), redis.call('HGET', job, 'payload')}
    end
end
return {}
