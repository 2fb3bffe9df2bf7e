-- why.lua - why a job is not running.
-- ARGV id alive_ms (a worker not seen for that long does not count)
-- -> {state, then words: a cause and its details, again and again}
--   'none'                     there is no such job
--   delayed: 'until' moment, 'infra' and 'job': failures of that kind, how many
--            are allowed
--   blocked: 'group' name, who has it, how many wait before
--   ready:   'workers' how many alive ones have its labels, 'slots' used and
--            max, 'tenant' and 'pipeline' name, running, cap (if at the cap),
--            'line' how many of its lane are before it, lanes before its own
local id, alive_ms = ARGV[1], tonumber(ARGV[2])
local f = load_job(id)
local answer = {f.state or 'none'}

local function say(...)
    for _, word in ipairs({...}) do
        answer[#answer + 1] = type(word) == 'number' and text(word) or word
    end
end

local function count_workers()
    local count = 0
    for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers',
                                 now - alive_ms, '+inf', 'LIMIT', 0, 500)) do
        local w = load(P .. 'worker:' .. worker, 'labels', 'drain', 'refuses')
        if w.drain ~= '1' and (w.refuses or '') == '' and
            fits(f.labels, w.labels or '') then
            count = count + 1
        end
    end
    return count
end

local function say_cap(kind, word, name)
    local running, cap = at_cap(kind, name)
    if running then
        say(word, name, running, cap)
    end
end

if f.state == 'delayed' then
    local due = call('ZSCORE', P .. 'delayed', id) or '0'
    say('until', due)
    say('infra', f.infra_failures or 0,
        f.infra_retries or call('HGET', P .. 'conf', 'infra_retries') or 3)
    say('job', f.job_failures or 0, f.job_retries or 0)
elseif f.state == 'blocked' then
    say('group', f.group, call('HGET', P .. 'groups', f.group) or '',
        call('ZRANK', P .. 'group:' .. f.group, id) or 0)
elseif f.state == 'ready' then
    local act = P .. 'act:' .. f.labels
    say('workers', count_workers())
    say('slots', call('ZCARD', P .. 'slots'), conf.max_instances or '')
    say_cap('t', 'tenant', f.tenant)
    say_cap('p', 'pipeline', f.pipeline)
    say('line', call('ZRANK', lane_of(f), id) or 0,
        call('ZRANK', act, f.class .. ':' .. f.tenant) or 0)
end
return answer
