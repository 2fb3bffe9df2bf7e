-- answer.lua - what a worker asked for, sealed, or why it does not get it.
-- ARGV worker id epoch nonce answer keep_ms
-- -> 1, or 0: the lease is not the worker's (any more)
local f = load(P .. 'job:' .. ARGV[2], 'state', 'epoch', 'nonce', 'worker')
if f.state ~= 'running' or f.epoch ~= ARGV[3] or f.nonce ~= ARGV[4] or
    f.worker ~= ARGV[1] then
    return 0
end
local key = P .. 'answer:' .. ARGV[2] .. ':' .. ARGV[3]
call('DEL', key)
call('RPUSH', key, ARGV[5])
call('PEXPIRE', key, ARGV[6])
return 1
