-- postpone.lua - keep a delivery that one has, or give it back for later.
-- ARGV id claim delay_ms reason
-- -> 1, or 0: another has it, or it is settled
-- With a reason it is given back: anybody may take it after the delay. Without
-- one the claim lasts that much longer.
local waiting = waiting_of(ARGV[1])
local key = P .. 'delivery:' .. ARGV[1]
if call('HGET', key, 'claim') ~= ARGV[2] or
    not call('ZSCORE', waiting, ARGV[1]) then
    return 0
end
call('ZADD', waiting, text(now + ARGV[3]), ARGV[1])
if ARGV[4] ~= '' then
    call('HDEL', key, 'claim')
    call('HSET', key, 'reason', ARGV[4])
end
return 1
