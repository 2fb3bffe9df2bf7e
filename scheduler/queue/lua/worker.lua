-- worker.lua - one worker, and how many jobs it has in hand.
-- ARGV worker
-- -> {now, leases, then name value … of what it said last}
local answer = {stamp, #call('SMEMBERS', P .. 'held:' .. ARGV[1])}

for _, word in ipairs(call('HGETALL', P .. 'worker:' .. ARGV[1])) do
    answer[#answer + 1] = word
end
return answer
