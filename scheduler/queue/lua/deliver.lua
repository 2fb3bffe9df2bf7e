-- deliver.lua - keep what a Git host sent, before it is told that we have it.
-- ARGV id keep_ms budget_bytes state reason body, then field value …
-- state: 'waiting', or 'ignored' with the reason
-- -> 'stored'; 'known': it is there, and stays as it is; 'again': it had
-- failed, and waits again; 'full': what waits leaves no room
local id, kept_ms, state = ARGV[1], ARGV[2], ARGV[4]
local key = P .. 'delivery:' .. id
local was = call('HGET', key, 'state')
local size = #ARGV[6] + OVERHEAD

if was == 'failed' then
    wait_delivery(id)
    return 'again'
elseif was then
    return 'known'
end
drop_delivery(id)
if not make_room(size, tonumber(ARGV[3]), kept_ms) then
    return 'full'
end
call('HSET', key, 'body', ARGV[6], 'received_at_ms', stamp,
     unpack(ARGV, 7))
call('HSET', P .. 'delivery_sizes', id, size)
call('HINCRBY', P .. 'delivery_sizes', 'total', size)
if state == 'waiting' then
    wait_delivery(id)
else
    settle(id, state, ARGV[5], kept_ms)
end
return 'stored'
