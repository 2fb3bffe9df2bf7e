-- ready.lua - putting a job where workers find it, and waking one of them.
-- A lane is the jobs of one class (0 urgent to 3 low), tenant and set of
-- labels, oldest first. act:<labels> ranks the lanes: by class, then by the
-- tenant's virtual time, which grows by 1/weight with each job it is given. A
-- lane that ran empty stays until it is found empty: so nobody gains by
-- leaving and coming back.
local BAND = 2 ^ 36 -- of virtual time within a class

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
                                 'LIMIT', 0, labels == '' and 1 or 1000)) do
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

-- The virtual time of the first lane of a class that has these labels; or nil.
local function first_time(labels, class)
    local base = class * BAND
    local first = call('ZRANGEBYSCORE', P .. 'act:' .. labels, base,
                       base + BAND - 1, 'WITHSCORES', 'LIMIT', 0, 1)
    return tonumber(first[2])
end

-- Put a lane in line: behind nobody, and before nobody who was there. Where no
-- lane has these labels, others tell the time: from zero it would go before
-- them all for as long as they were served already.
local function enlist(labels, class, tenant, old_time)
    local at = first_time(labels, class)
    if not at then
        at = math.max(class * BAND, first_time('', class) or 0)
        for _, other in ipairs(call('SRANDMEMBER', P .. 'labels', 8)) do
            at = math.max(at, first_time(other, class) or 0)
        end
    end
    call('ZADD', P .. 'act:' .. labels, 'NX', math.max(at, old_time or 0),
         class .. ':' .. tenant)
    if labels ~= '' then
        call('SADD', P .. 'labels', labels)
    end
end

local function make_ready(id, f)
    call('ZADD', lane_of(f), f.seq, id)
    if not call('ZSCORE', P .. 'act:' .. f.labels, f.class .. ':' .. f.tenant)
    then
        enlist(f.labels, f.class, f.tenant)
    end
    ring(f.labels)
end

-- Strike out lanes that are first and found empty, as a worker would: a pool
-- where nobody asks any more keeps nothing.
local function sweep(labels)
    local act = P .. 'act:' .. labels
    for _, member in ipairs(call('ZRANGE', act, 0, 15)) do
        if call('EXISTS', P .. 'ready:' .. member .. ':' .. labels) == 1 then
            return
        end
        call('ZREM', act, member)
    end
    if labels ~= '' and call('EXISTS', act) == 0 then
        call('SREM', P .. 'labels', labels)
    end
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
