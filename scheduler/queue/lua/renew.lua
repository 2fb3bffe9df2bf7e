-- renew.lua - a worker is alive, and so are these leases; the authoritative
-- word on their cancellation.
-- ARGV worker lease_ms grace_ms, n of fields, name value …, then id epoch
-- nonce of each lease
-- -> {drain (0, 1), then for each lease: 'ok', 'lost', or why it is to end}
local worker, lease_ms, grace_ms = ARGV[1], ARGV[2], ARGV[3]
local count = tonumber(ARGV[4])
local self = P .. 'worker:' .. worker
local answers = {call('HGET', self, 'drain') or '0'}

call('HSET', self, 'seen_at_ms', stamp, unpack(ARGV, 5, 4 + 2 * count))
call('PEXPIRE', self, keep_ms)
call('ZADD', P .. 'workers', stamp, worker)
call('PEXPIRE', P .. 'workers', keep_ms)
-- Nobody rings for one that takes no job.
local is = load(self, 'state', 'refuses')
if is.state == 'draining' or (is.refuses or '') ~= '' then
    call('ZREM', P .. 'idle', worker)
end
for at = 5 + 2 * count, #ARGV, 3 do
    local id, epoch = ARGV[at], ARGV[at + 1]
    local f = load(P .. 'job:' .. id, 'state', 'epoch', 'nonce', 'tenant',
                   'pipeline', 'cancel')
    if f.state ~= 'running' or f.epoch ~= epoch or f.nonce ~= ARGV[at + 2] then
        answers[#answers + 1] = 'lost'
    else
        hold_slot(slot_of(id, f), now + lease_ms + grace_ms)
        answers[#answers + 1] = f.cancel or 'ok'
    end
end
return answers
