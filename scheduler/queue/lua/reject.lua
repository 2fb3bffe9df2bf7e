-- reject.lua - a document of the inbox is wrong: keep it with the reason.
-- ARGV inbox document id reason
-- -> 1, or 0: somebody else took it over
if call('LREM', P .. 'inbox:' .. ARGV[1], 1, ARGV[2]) == 0 then
    return 0
end
local key = P .. 'rejected:' .. ARGV[3]
call('HSET', key, 'document', ARGV[2], 'reason', ARGV[4], 'scheduler',
     ARGV[1], 'rejected_at_ms', stamp)
call('PEXPIRE', key, keep_ms)
call('ZADD', P .. 'rejected', stamp, ARGV[3])
call('PEXPIRE', P .. 'rejected', keep_ms)
-- A flood of wrong documents must not fill Redis.
local excess = call('ZCARD', P .. 'rejected') - 1000
if excess > 0 then
    for _, id in ipairs(call('ZRANGE', P .. 'rejected', 0, excess - 1)) do
        call('DEL', P .. 'rejected:' .. id)
        call('ZREM', P .. 'rejected', id)
    end
end
return 1
