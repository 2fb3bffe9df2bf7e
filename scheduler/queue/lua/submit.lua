-- submit.lua - put a job in, once.
-- KEYS[1] berth:{pool}:   ARGV id tenant payload keep_ms
-- -> 1 queued, 0 it is there already
local pool, id, tenant = KEYS[1], ARGV[1], ARGV[2]
local job = pool .. 'job:' .. id

if redis.call('EXISTS', job) == 1 then
    return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Grows with each job, and after it expired: it is never behind the clock.
local seq = (tonumber(redis.call('GET', pool .. 'seq')) or 0) + 1
if seq < now then
    seq = now
end
redis.call('SET', pool .. 'seq', string.format('%.0f', seq), 'PX', ARGV[4])
redis.call('HSET', job, 'state', 'ready', 'tenant', tenant,
           'payload', ARGV[3], 'epoch', 0, 'attempt', 0,
           'submitted_at_ms', string.format('%.0f', now))
redis.call('ZADD', pool .. 'ready:' .. tenant, string.format('%.0f', seq), id)
return 1
