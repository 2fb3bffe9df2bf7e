-- spent.lua - what a job has spent of what reserve.lua gave it.
-- ARGV id epoch model repository date requests tokens micro_usd
-- -> 1, or 0: nothing is reserved (any more)
local kinds = {'requests', 'tokens', 'micro_usd'}
local key = P .. 'spend:' .. ARGV[5]
local mine = 'job:' .. ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[3]
local reserved = call('HGET', key, mine)
if not reserved then
    return 0
end
local scopes = {'repository:' .. ARGV[3] .. ':' .. ARGV[4] .. ':',
    'day:' .. ARGV[3] .. ':'}
local k = 0
for amount in string.gmatch(reserved, '%d+') do
    k = k + 1
    for _, scope in ipairs(scopes) do
        call('HINCRBY', key, scope .. kinds[k],
            text(tonumber(ARGV[5 + k]) - tonumber(amount)))
    end
end
call('HDEL', key, mine)
return 1
