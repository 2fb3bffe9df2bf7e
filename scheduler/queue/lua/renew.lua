-- renew.lua - prolong a lease; the authoritative word on cancellation.
-- KEYS[1] berth:{pool}:   ARGV id epoch nonce lease_ms kill_grace_ms
-- -> {'ok'}, {'cancel', reason}, or {'lost'}
local pool, id, epoch = KEYS[1], ARGV[1], ARGV[2]
local lease_ms, grace_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local f = redis.call('HMGET', pool .. 'job:' .. id, 'state', 'epoch', 'nonce',
                     'cancel')

if f[1] ~= 'running' or f[2] ~= epoch or f[3] ~= ARGV[3] then
    return {'lost'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', pool .. 'leases', string.format('%.0f', now + lease_ms), id)
redis.call('ZADD', pool .. 'slots',
           string.format('%.0f', now + lease_ms + grace_ms), id .. ':' .. epoch)
if f[4] then
    return {'cancel', f[4]}
end
return {'ok'}
