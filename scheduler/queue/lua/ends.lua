-- ends.lua - how the jobs of a run ended.
-- ARGV run, indices of jobs …
-- -> for each index, reason, started_at_ms, ended_at_ms; '' for what is not
-- there, and for a job of that id which is not one of the run
local answer = {}
for i = 2, #ARGV do
    local f = call('HMGET', P .. 'job:' .. ARGV[1] .. '-' .. text(ARGV[i] + 1),
                   'reason', 'started_at_ms', 'ended_at_ms', 'parent')
    for n = 1, 3 do
        answer[#answer + 1] = f[4] == ARGV[1] and f[n] or ''
    end
end
return answer
