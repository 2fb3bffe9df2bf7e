-- complete.lua - store the result and release the slot.
-- KEYS[1] berth:{pool}:   ARGV id epoch nonce state reason result keep_ms
-- -> 'ok' (also for a repeat), or 'lost'
local pool, id, epoch, nonce = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local keep_ms = tonumber(ARGV[7])
local job = pool .. 'job:' .. id
local f = redis.call('HMGET', job, 'state', 'epoch', 'nonce')

if not f[1] or f[2] ~= epoch or f[3] ~= nonce then
    return 'lost'
end
if f[1] ~= 'running' then
    return 'ok' -- the answer was lost; nothing is done twice
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
redis.call('HSET', job, 'state', ARGV[4], 'result', ARGV[6],
           'ended_at_ms', stamp)
if ARGV[5] ~= '' then
    redis.call('HSET', job, 'reason', ARGV[5])
end
redis.call('HDEL', job, 'payload') -- nobody runs it again
redis.call('ZREM', pool .. 'leases', id)
redis.call('ZREM', pool .. 'slots', id .. ':' .. epoch)
redis.call('DEL', pool .. 'grant:' .. nonce)
redis.call('ZADD', pool .. 'done', stamp, id)
redis.call('ZREMRANGEBYSCORE', pool .. 'done', '-inf',
           string.format('%.0f', now - keep_ms))
redis.call('PEXPIRE', pool .. 'done', keep_ms)
redis.call('PEXPIRE', job, keep_ms)
return 'ok'
