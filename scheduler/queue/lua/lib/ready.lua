-- ready.lua - putting a job where workers find it, and waking one of them.
-- A lane is the jobs of one class (0 urgent to 3 low), tenant and set of
-- labels, oldest first. act:<labels> ranks the lanes: by class, then by the
-- tenant's virtual time, which grows by 1/weight with each job it is given. A
-- lane that ran empty stays until it is found empty: so nobody gains by
-- leaving and coming back.
local BAND = 2 ^ 40 -- of virtual time within a class

-- Labels are sorted words joined by commas, `has` with a comma at each end.
local function fits(labels, has)
    for word in string.gmatch(labels, '[^,]+') do
        if not string.find(has, ',' .. word .. ',', 1, true) then
            return false
        end
    end
    return true
end

-- To one worker; the list is short, and forgotten when nobody reads it.
local function tell(worker, word)
    local ctl = P .. 'ctl:' .. worker
    call('LPUSH', ctl, word)
    call('LTRIM', ctl, 0, 63)
    call('PEXPIRE', ctl, 60000)
end

-- Wake one idle worker that can run it: not the herd.
local function ring(labels)
    for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'idle', now, '+inf',
                                 'LIMIT', 0, 64)) do
        if labels == '' or
            fits(labels, call('HGET', P .. 'worker:' .. worker, 'labels') or
                 '') then
            call('ZREM', P .. 'idle', worker)
            tell(worker, 'job')
            return
        end
    end
end

-- Wake a scheduler: a run has something to be decided.
local function wake()
    if call('LLEN', P .. 'wake') == 0 then
        call('LPUSH', P .. 'wake', 'run')
        call('PEXPIRE', P .. 'wake', 60000)
    end
end

local function lane_of(f)
    return P .. 'ready:' .. f.class .. ':' .. f.tenant .. ':' .. f.labels
end

local function make_ready(id, f)
    local act, member = P .. 'act:' .. f.labels, f.class .. ':' .. f.tenant
    call('ZADD', lane_of(f), f.seq, id)
    if not call('ZSCORE', act, member) then
        local base = f.class * BAND
        local first = call('ZRANGEBYSCORE', act, base, base + BAND - 1,
                           'WITHSCORES', 'LIMIT', 0, 1)
        call('ZADD', act, first[2] or base, member)
        if f.labels ~= '' then
            call('SADD', P .. 'labels', f.labels)
        end
    end
    ring(f.labels)
end

-- A slot is free: whoever has use for it may come.
local function ring_waiting()
    if call('EXISTS', P .. 'idle') == 0 then
        return
    end
    if call('EXISTS', P .. 'act:') == 1 then
        ring('')
    end
    for _, labels in ipairs(call('SRANDMEMBER', P .. 'labels', 8)) do
        ring(labels)
    end
end
