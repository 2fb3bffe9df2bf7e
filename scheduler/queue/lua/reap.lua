-- reap.lua - take back what nobody renewed until its slot expired.
-- ARGV lease_ms tick_ms rand
-- -> {how many were retried, how many ended}
-- Leases cannot be renewed while Redis is away: after a pause in which nobody
-- called this, all holders get one lease to come back.
local lease_ms, tick_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local LIMIT = 128
local last = load(P .. 'conf', 'reaped_at_ms', 'reap_from_ms')
local from = tonumber(last.reap_from_ms) or 0
local answer = {0, 0}

if now - (tonumber(last.reaped_at_ms) or 0) > 5 * tick_ms + 1000 then
    from = now + lease_ms
    call('HSET', P .. 'conf', 'reap_from_ms', from)
end
call('HSET', P .. 'conf', 'reaped_at_ms', stamp)
call('PEXPIRE', P .. 'conf', 2592000000)
if now < from then
    return answer
end
for _, slot in ipairs(call('ZRANGEBYSCORE', P .. 'slots', '-inf', now,
                           'LIMIT', 0, LIMIT)) do
    local id, epoch = string.match(slot, '^([^:]*):(%d+):')
    local f = load_job(id)
    free_slot(slot)
    if f.state == 'running' and f.epoch == epoch then
        -- Without its nonce no zombie can renew or complete it.
        call('HDEL', P .. 'job:' .. id, 'nonce')
        local what = end_attempt(id, f, 'failed', 'worker_lost', nil, true,
                                 tonumber(ARGV[3]))
        local at = what == 'retry' and 1 or 2
        answer[at] = answer[at] + 1
    end
    ring_waiting()
end
return answer
