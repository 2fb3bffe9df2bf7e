-- cancel.lua - ask for a job's end.
-- KEYS[1] berth:{pool}:   ARGV id reason keep_ms
-- -> 'none' no such job, 'cancelled' it was ready, 'asked' it runs, 'ended'
local pool, id, reason = KEYS[1], ARGV[1], ARGV[2]
local keep_ms = tonumber(ARGV[3])
local job = pool .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'tenant')

if not f[1] then
    return 'none'
end
if f[1] == 'running' then
    redis.call('HSETNX', job, 'cancel', reason)
    return 'asked'
end
if f[1] ~= 'ready' then
    return 'ended'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
redis.call('ZREM', pool .. 'ready:' .. f[2], id)
redis.call('HSET', job, 'state', 'cancelled', 'reason', reason,
           'cancel', reason, 'ended_at_ms', stamp)
redis.call('HDEL', job, 'payload') -- nobody runs it any more
redis.call('ZADD', pool .. 'done', stamp, id)
redis.call('ZREMRANGEBYSCORE', pool .. 'done', '-inf',
           string.format('%.0f', now - keep_ms))
redis.call('PEXPIRE', pool .. 'done', keep_ms)
redis.call('PEXPIRE', job, keep_ms)
return 'cancelled'
