-- complete.lua - store the results of some attempts, release their slots, and
-- give the worker as many next jobs.
-- ARGV worker labels max_instances lease_ms grace_ms idle_ms, as lease.lua takes
-- them, then of each attempt: id epoch nonce state reason result infra rand,
-- and the nonce of the lease that is wanted next ('': none) and its `again`
-- -> of each: 'ok', 'lost' or an error, and three as lease.lua gives them
-- A repeat after a lost answer is 'ok'. `infra`: 1, the infrastructure is to
-- blame, which has a budget of its own; `rand` in [0, 1) spreads retries.
local FIRST, EACH = 7, 10
local answers, freed = {}, false

-- What is wrong with one must not keep the others from their end.
local function complete(at)
    local id, state = ARGV[at], ARGV[at + 3]
    -- Most pass, and few of these fields are wanted then.
    local f = state ~= 'passed' and load_job(id) or
        load(P .. 'job:' .. id, 'state', 'epoch', 'nonce', 'worker', 'tenant',
             'pipeline', 'group', 'parent', 'index', 'report')
    if not f.state or f.epoch ~= ARGV[at + 1] or f.nonce ~= ARGV[at + 2] then
        return 'lost'
    end
    if f.state == 'running' then
        local done, why = pcall(end_attempt, id, f, state, ARGV[at + 4],
                                ARGV[at + 5], ARGV[at + 6] == '1',
                                tonumber(ARGV[at + 7]))
        if not done then
            return type(why) == 'table' and why.err or tostring(why)
        end
        if conf.capped then
            unpark('t' .. f.tenant)
            unpark('p' .. f.pipeline)
        end
    end
    return 'ok'
end

batch = {}
for at = FIRST, #ARGV, EACH do
    local n = #answers
    answers[n + 1] = complete(at)
    for i = 2, 4 do
        answers[n + i] = false
    end
end
send_batch()
call('PEXPIRE', P .. 'done', longest_ms)

local none -- what the others are told, too
for at = FIRST, #ARGV, EACH do
    local n, again = (at - FIRST) / EACH * 4, ARGV[at + 9]
    local lease = {}
    if ARGV[at + 8] == '' then
        sweep(call('HGET', P .. 'job:' .. ARGV[at], 'labels') or '')
    else
        lease = again ~= '1' and none or
            grant_or_wait(wanted(ARGV[at + 8], again))
        for i = 1, 3 do
            answers[n + 1 + i] = lease[i] or false
        end
    end
    none = none or lease[1] and not lease[2] and lease
    freed = freed or answers[n + 1] == 'ok' and not lease[2]
end
send_batch()
-- Somebody else may have use for the slot that is free now, or for what waited
-- behind a cap.
if freed or conf.capped then
    ring_waiting()
end
return answers
