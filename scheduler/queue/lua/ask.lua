-- ask.lua - a worker asks schedulers for what reads its job's repository.
-- ARGV worker id epoch nonce most
-- -> 'asked'; 'lost': the lease is not the worker's (any more); 'full': others
-- wait; 'nobody': no scheduler was seen for a while
local f = load(P .. 'job:' .. ARGV[2], 'state', 'epoch', 'nonce', 'worker')
if f.state ~= 'running' or f.epoch ~= ARGV[3] or f.nonce ~= ARGV[4] or
    f.worker ~= ARGV[1] then
    return 'lost'
end
local last = call('ZREVRANGE', P .. 'schedulers', 0, 0, 'WITHSCORES')
if not last[2] or now - tonumber(last[2]) > 120000 then
    return 'nobody'
elseif call('LLEN', P .. 'asks') >= tonumber(ARGV[5]) then
    return 'full'
end
call('RPUSH', P .. 'asks', table.concat({stamp, ARGV[2], ARGV[3], ARGV[4],
                                         ARGV[1]}, ' '))
call('PEXPIRE', P .. 'asks', 60000)
return 'asked'
