-- ending.lua - how jobs begin, end, and hand their place on.
-- A job is `delayed` until it is due, `blocked` while another run has its
-- concurrency group, `ready`, `running`, and then one of passed, failed,
-- cancelled, skipped. A run of several jobs is a job of kind `run`: it is
-- `running` while its children are.
local end_job -- the end of one job may begin another

local function load_job(id)
    local f = load(P .. 'job:' .. id, 'state', 'kind', 'epoch', 'nonce',
                   'worker', 'class', 'tenant', 'labels', 'seq', 'pipeline',
                   'group', 'cancel_in_progress', 'group_queue', 'parent',
                   'report', 'expires_at_ms', 'cancel',
                   'infra_failures', 'infra_retries', 'job_failures',
                   'job_retries')
    f.labels = f.labels or ''
    return f
end

local function waits_or_runs(state)
    return state == 'ready' or state == 'delayed' or state == 'blocked' or
        state == 'running'
end

-- A moment in microseconds: a place in a line, behind all that have one.
local function place()
    return time[1] * 1000000 + time[2]
end

-- The job has its turn: to the workers, or to the scheduler if it is a run.
local function begin(id, f)
    local job = P .. 'job:' .. id
    if f.kind == 'run' then
        call('HSET', job, 'state', 'running', 'started_at_ms', stamp)
        call('ZADD', P .. 'runs', stamp, id)
        call('ZADD', P .. 'dirty', stamp, id)
        wake()
        if f.report then
            report_due(id, f.report)
        end
        return
    end
    call('HSET', job, 'state', 'ready')
    make_ready(id, f)
end

local function release_group(id, group)
    if call('HGET', P .. 'groups', group) ~= id then
        return
    end
    local line = P .. 'group:' .. group
    local first = call('ZPOPMIN', line)[1]
    while first do -- each turn makes the line shorter
        local f = load_job(first)
        if f.state == 'blocked' then
            call('HSET', P .. 'groups', group, first)
            begin(first, f)
            return
        end
        first = call('ZPOPMIN', line)[1]
    end
    call('HDEL', P .. 'groups', group)
end

-- Take a job out of where it waits or runs.
local function leave(id, f)
    if f.state == 'ready' then
        call('ZREM', lane_of(f), id)
        sweep(f.labels)
    elseif f.state == 'delayed' then
        call('ZREM', P .. 'delayed', id)
    elseif f.state == 'blocked' then
        call('ZREM', P .. 'group:' .. f.group, id)
    elseif f.state == 'running' and f.kind ~= 'run' then
        free_slot(slot_of(id, f))
        add('SREM', P .. 'held:' .. (f.worker or ''), id)
    end
end

-- The job left its place already. The parent learns it, the group goes on,
-- and who is to be told finds it in the outbox: all in this one script.
function end_job(id, f, state, reason, result)
    local job = P .. 'job:' .. id
    if result then
        call('HSET', job, 'state', state, 'ended_at_ms', stamp, 'result',
             result)
    else
        call('HSET', job, 'state', state, 'ended_at_ms', stamp)
    end
    local why = reason and reason ~= ''
    if why then
        call('HSET', job, 'reason', reason)
    end
    if state ~= 'passed' and state ~= 'skipped' and not f.parent then
        if not why then -- it is an earlier attempt's
            call('HDEL', job, 'reason')
        end
    elseif why then
        call('HDEL', job, 'payload') -- others may be tried again
    else
        call('HDEL', job, 'payload', 'reason')
    end
    add('ZADD', P .. 'done', stamp, id)
    if not batch then
        call('PEXPIRE', P .. 'done', longest_ms)
    end
    -- trim.lua forgets it sooner, once it is reported. What is of a run that
    -- goes on stays until that ends.
    local run = f.parent and P .. 'run:' .. f.parent
    local goes_on = run and
        call('HGET', P .. 'job:' .. f.parent, 'state') == 'running'
    if not goes_on then
        call('PEXPIRE', job,
             (f.report or f.exhausted) and longest_ms or keep_ms)
    end
    if f.expires_at_ms then
        call('ZREM', P .. 'deadlines', id)
    end
    if f.kind == 'run' then
        call('ZREM', P .. 'runs', id)
        call('ZREM', P .. 'dirty', id)
        call('PEXPIRE', P .. 'run:' .. id, keep_ms)
        for _, index in ipairs(call('HKEYS', P .. 'run:' .. id)) do
            local child = index ~= 'rev' and
                P .. 'job:' .. id .. '-' .. text(index + 1)
            if child and call('HGET', child, 'parent') == id then
                call('PEXPIRE', child, longest_ms)
            end
        end
    end
    if f.report then
        report_due(id, f.report)
    end
    if goes_on then
        call('HSET', run, call('HGET', job, 'index'), state)
        call('HINCRBY', run, 'rev', 1)
        call('ZADD', P .. 'dirty', stamp, f.parent)
        wake()
    end
    if f.group then
        release_group(id, f.group)
    end
end

-- Ask for a job's end. -> none, ended, asked (it runs), cancelled
local function cancel(id, reason)
    local f = load_job(id)
    local job = P .. 'job:' .. id
    if not f.state then
        return 'none'
    end
    if f.state == 'running' then
        call('HSETNX', job, 'cancel', reason)
        if f.kind == 'run' then
            local run = P .. 'run:' .. id
            local children = call('HGETALL', run)
            for i = 1, #children, 2 do
                if children[i + 1] == 'active' then
                    cancel(id .. '-' .. text(children[i] + 1), reason)
                end
            end
            call('HINCRBY', run, 'rev', 1)
            call('ZADD', P .. 'dirty', stamp, id)
            wake()
        elseif f.worker then
            tell(f.worker, 'renew')
        end
        return 'asked'
    end
    if not waits_or_runs(f.state) then
        return 'ended'
    end
    leave(id, f)
    call('HSET', job, 'cancel', reason)
    end_job(id, f, 'cancelled', reason)
    return 'cancelled'
end

-- The job is due: it begins, unless another run has its group.
local function enter(id, f)
    local line = f.group and P .. 'group:' .. f.group
    local holder = f.group and call('HGET', P .. 'groups', f.group)
    if holder and holder ~= id and holder ~= f.parent and
        not waits_or_runs(call('HGET', P .. 'job:' .. holder, 'state')) then
        holder = nil -- it is gone: nobody would ever hand the group on
    end
    if not holder or holder == id then
        if f.group then
            call('HSET', P .. 'groups', f.group, id)
        end
        begin(id, f)
        return
    elseif holder == f.parent then
        begin(id, f) -- its own run has the group: that will not end before
        return
    end
    local before = call('ZRANGE', line, 0, 999)
    call('HSET', P .. 'job:' .. id, 'state', 'blocked')
    call('ZADD', line, place(), id)
    if f.cancel_in_progress then
        for _, other in ipairs(before) do
            cancel(other, 'superseded')
        end
        cancel(holder, 'superseded')
    elseif f.group_queue then
        for i = 1, #before + 1 - f.group_queue do
            cancel(before[i], 'superseded')
        end
    end
end

-- An attempt ended; it is tried again if its budget allows. `rand` in [0, 1).
-- -> 'retry' or 'ended'
local function end_attempt(id, f, state, reason, result, infra, rand)
    local which = infra and 'infra' or 'job'

    leave(id, f)
    if state ~= 'failed' then
        end_job(id, f, state, reason, result)
        return 'ended'
    end
    local rules = load(P .. 'conf', 'infra_retries', 'backoff_ms',
                       'backoff_max_ms')
    local failures = tonumber(f[which .. '_failures']) or 0
    local budget = tonumber(f[which .. '_retries']) or
        (infra and tonumber(rules.infra_retries or 3)) or 0
    if state == 'failed' and infra and f.cancel then
        state, reason = 'cancelled', f.cancel
    end
    if state == 'failed' and not f.cancel and failures < budget then
        local wait = math.min((tonumber(rules.backoff_ms) or 5000) *
                              2 ^ failures,
                              tonumber(rules.backoff_max_ms) or 600000)
        local due = math.floor(now + wait * (0.5 + rand / 2))
        local job = P .. 'job:' .. id
        call('HSET', job, 'state', 'delayed', 'reason', reason,
             which .. '_failures', failures + 1, 'not_before_ms', due)
        if result then
            call('HSET', job, 'result', result)
        end
        call('ZADD', P .. 'delayed', due, id)
        if f.report then
            report_due(id, f.report)
        end
        return 'retry'
    end
    if state == 'failed' and infra then
        f.exhausted = true
        call('HSET', P .. 'job:' .. id, 'exhausted', 1)
        end_job(id, f, state, reason, result)
        call('ZADD', P .. 'dead', stamp, id)
        call('PEXPIRE', P .. 'dead', longest_ms)
        return 'ended'
    end
    end_job(id, f, state, reason, result)
    return 'ended'
end
