-- worker.lua - one worker, and how many jobs it has in hand.
-- ARGV worker
-- -> {now, leases, then name value … of what it said last}
local answer = {stamp, 0}

for _, slot in ipairs(call('ZRANGE', P .. 'slots', 0, -1)) do
    local f = load(P .. 'job:' .. string.match(slot, '^([^:]*)'), 'worker')
    if f.worker == ARGV[1] then
        answer[2] = answer[2] + 1
    end
end
for _, word in ipairs(call('HGETALL', P .. 'worker:' .. ARGV[1])) do
    answer[#answer + 1] = word
end
return answer
