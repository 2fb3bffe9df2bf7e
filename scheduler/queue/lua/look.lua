-- look.lua - a run as it is now, at one moment.
-- ARGV id
-- -> the fields below, then name and value … of run:<id>
local f = call('HMGET', P .. 'job:' .. ARGV[1], 'state', 'kind', 'payload',
               'cancel', 'tenant', 'pipeline', 'priority', 'about',
               'job_retries', 'infra_retries', 'started_at_ms')
for i = 1, 11 do
    f[i] = f[i] or ''
end
for _, word in ipairs(call('HGETALL', P .. 'run:' .. ARGV[1])) do
    f[#f + 1] = word
end
return f
