-- report_again.lua - tell a job's host at once, whether it knows or not.
-- ARGV id
-- -> 'due'; 'none': no such job; 'silent': it has no report
local f = load(P .. 'job:' .. ARGV[1], 'state', 'report')
local host = host_of(read_report(f.report))
if not f.state then
    return 'none'
elseif not host then
    return 'silent'
end
call('HDEL', P .. 'job:' .. ARGV[1], 'report_tries', 'report_failed_at_ms')
report_due(ARGV[1], f.report)
return 'due'
