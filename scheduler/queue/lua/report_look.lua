-- report_look.lua - what became of the report of a job.
-- ARGV id
-- -> {now, its state ('': no such job), its report, when it is looked at again
-- ('': it waits not), 1: it is being told, ms that its host pauses, why,
-- since when it is given up ('': it is not), name value … of its fields}
local id = ARGV[1]
local f = load(P .. 'job:' .. id, 'state', 'report')
local answer = {stamp, f.state or '', f.report or '', '', 0, 0, '', ''}
local host = host_of(read_report(f.report))

if not host then
    return answer
end
answer[4] = report_waits(id, f.report) or ''
answer[5] = call('HGET', P .. 'reporting:' .. host, 'id') == id and 1 or 0
answer[6] = math.max(0, call('PTTL', P .. 'paused:' .. host))
answer[7] = call('GET', P .. 'paused:' .. host) or ''
answer[8] = call('ZSCORE', P .. 'unreported', id) or ''
for _, name in ipairs({'rev', 'told', 'told_at_ms', 'tries', 'error',
                       'error_at_ms', 'notes', 'comments', 'resolved'}) do
    local value = call('HGET', P .. 'job:' .. id, 'report_' .. name)
    if value then
        answer[#answer + 1] = name
        answer[#answer + 1] = value
    end
end
return answer
