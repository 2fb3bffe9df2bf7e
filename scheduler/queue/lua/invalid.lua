-- invalid.lua - a job that cannot be made, as its pipeline is wrong: it has
-- ended as it comes, and its Git host is told why.
-- ARGV id tenant pipeline report about result
-- -> 'made'; 'told': it is there already, and its host is told again
local id, report = ARGV[1], ARGV[4]
local job, seq = P .. 'job:' .. id, text(place())

if call('EXISTS', job) == 1 then
    report_due(id, call('HGET', job, 'report'))
    return 'told'
end
call('HSET', job, 'kind', 'job', 'tenant', ARGV[2], 'pipeline', ARGV[3],
     'class', '2', 'priority', '2', 'seq', seq, 'submitted_at_ms', stamp,
     'report', report, 'about', ARGV[5])
report_new(id, report, seq)
end_job(id, {kind = 'job', report = report}, 'failed', 'pipeline_invalid',
        ARGV[6])
return 'made'
