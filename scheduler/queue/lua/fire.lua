-- fire.lua - a schedule is due: its documents go to the inbox, once.
-- ARGV name expected last, documents …
-- -> 1, or 0: another scheduler was first
-- `expected` ('': none yet) and `last` are the due times dealt with before and
-- after; only who knows the present one may set the next.
local crons = P .. 'crons'
if (call('HGET', crons, ARGV[1]) or '') ~= ARGV[2] then
    return 0
end
call('HSET', crons, ARGV[1], ARGV[3])
for i = 4, #ARGV do
    call('LPUSH', P .. 'inbox', ARGV[i])
end
return 1
