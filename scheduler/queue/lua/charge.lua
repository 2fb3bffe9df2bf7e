-- charge.lua - what all attempts of a job have spent on models so far.
-- ARGV id epoch nonce spent: JSON that is kept from now on; '': nothing new
-- -> what is kept; '': nothing, or another has the lease
local job = P .. 'job:' .. ARGV[1]
local f = load(job, 'state', 'epoch', 'nonce', 'model_spent')
if f.state ~= 'running' or f.epoch ~= ARGV[2] or f.nonce ~= ARGV[3] then
    return ''
end
if ARGV[4] ~= '' then
    call('HSET', job, 'model_spent', ARGV[4])
    return ARGV[4]
end
return f.model_spent or ''
