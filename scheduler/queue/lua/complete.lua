-- complete.lua - store the result of an attempt, release the slot, and give
-- the worker its next job.
-- ARGV id epoch nonce state reason result infra rand worker, then nothing, or
-- what lease.lua takes after `worker`
-- -> {'ok' | 'lost'}, and behind it what lease.lua gives
-- A repeat after a lost answer is 'ok'. `infra`: 1, the infrastructure is to
-- blame, which has a budget of its own; `rand` in [0, 1) spreads retries.
local id, epoch, nonce = ARGV[1], ARGV[2], ARGV[3]
-- Most pass, and few of these fields are wanted then.
local f = ARGV[4] ~= 'passed' and load_job(id) or
    load(P .. 'job:' .. id, 'state', 'epoch', 'nonce', 'worker', 'tenant',
         'pipeline', 'group', 'parent', 'index', 'report')
local answer = {'ok'}

if not f.state or f.epoch ~= epoch or f.nonce ~= nonce then
    answer[1] = 'lost'
elseif f.state == 'running' then
    end_attempt(id, f, ARGV[4], ARGV[5], ARGV[6], ARGV[7] == '1',
                tonumber(ARGV[8]))
    if conf.capped then
        unpark('t' .. f.tenant)
        unpark('p' .. f.pipeline)
    end
end
if ARGV[10] then
    for i, value in ipairs(grant_or_wait(wanted(ARGV[9], 10))) do
        answer[i + 1] = value
    end
elseif f.state then
    sweep(call('HGET', P .. 'job:' .. id, 'labels') or '')
end
-- Somebody else may have use for the slot that is free now, or for what waited
-- behind a cap.
if answer[1] == 'ok' and (conf.capped or not answer[3]) then
    ring_waiting()
end
return answer
