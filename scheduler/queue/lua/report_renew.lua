-- report_renew.lua - a report takes its time: hold the host for longer.
-- ARGV host nonce hold_ms
-- -> 1, or 0: it was lost
local lane = P .. 'reporting:' .. ARGV[1]
if call('HGET', lane, 'nonce') ~= ARGV[2] then
    return 0
end
call('PEXPIRE', lane, ARGV[3])
serve(ARGV[1])
return 1
