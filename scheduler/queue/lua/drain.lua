-- drain.lua - a worker is to take no further jobs, or to take some again.
-- ARGV worker drain (0, 1)
-- -> 1, or 0: there is no such worker
local worker = P .. 'worker:' .. ARGV[1]
if call('EXISTS', worker) == 0 then
    return 0
end
call('HSET', worker, 'drain', ARGV[2])
call('ZREM', P .. 'idle', ARGV[1])
tell(ARGV[1], 'renew')
return 1
