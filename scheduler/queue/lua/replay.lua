-- replay.lua - a delivery that was settled is to be dealt with once more.
-- ARGV id
-- -> 'none' there is no such one, 'waiting' it is not settled, 'again'
-- Its jobs are others than before: `replays` is part of their ids.
local key = P .. 'delivery:' .. ARGV[1]
local state = call('HGET', key, 'state')
if not state then
    return 'none'
elseif state == 'waiting' then
    return 'waiting'
end
call('HINCRBY', key, 'replays', 1)
wait_delivery(ARGV[1])
return 'again'
