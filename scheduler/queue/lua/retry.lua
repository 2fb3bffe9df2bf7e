-- retry.lua - run an ended job again, as the same job.
-- ARGV id
-- -> 'queued'; 'none' no such job, 'active' it has not ended, 'child' only its
-- run can be, 'gone' its payload is not kept
local id = ARGV[1]
local job = P .. 'job:' .. id
local f = load_job(id)

if not f.state then
    return 'none'
elseif f.parent then
    return 'child'
elseif waits_or_runs(f.state) then
    return 'active'
elseif call('HEXISTS', job, 'payload') == 0 then
    return 'gone'
end
call('HDEL', job, 'reason', 'result', 'cancel', 'exhausted', 'nonce',
     'infra_failures', 'job_failures', 'ended_at_ms', 'started_at_ms',
     'not_before_ms', 'expires_at_ms', 'model_spent')
call('HSET', job, 'class', call('HGET', job, 'priority'))
call('PERSIST', job)
call('ZREM', P .. 'done', id)
call('ZREM', P .. 'dead', id)
if f.kind == 'run' then
    -- Decisions of before must not fit the new time.
    local rev = call('HINCRBY', P .. 'run:' .. id, 'rev', 1)
    call('DEL', P .. 'run:' .. id)
    call('HSET', P .. 'run:' .. id, 'rev', rev)
end
if f.report then
    report_due(id, f.report)
end
enter(id, load_job(id))
return 'queued'
