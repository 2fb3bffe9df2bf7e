-- unreported.lua - jobs that their hosts were not told of, the last first.
-- ARGV limit
-- -> a row a job: {id, when it was given up, report, pipeline, state, why}
local answer = {}
local list = call('ZREVRANGE', P .. 'unreported', 0, ARGV[1] - 1, 'WITHSCORES')
for i = 1, #list, 2 do
    local f = load(P .. 'job:' .. list[i], 'report', 'pipeline', 'state',
                   'report_error')
    if f.state then
        answer[#answer + 1] = {list[i], list[i + 1], f.report or '',
                               f.pipeline or '', f.state,
                               f.report_error or ''}
    end
end
return answer
