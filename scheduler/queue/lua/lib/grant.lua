-- grant.lua - give the next job that fits to a worker.

-- -> how many run and how many may, of a tenant (kind t) or a pipeline (p) that
-- is at its cap; else nil
local function at_cap(kind, name)
    if not conf.capped then
        return nil
    end
    local caps = call('HMGET', P .. 'conf', kind .. 'cap:' .. name,
                      kind .. 'cap:*')
    local cap = caps[1] or caps[2]
    if not cap then
        return nil
    end
    local number = tonumber(call('HGET', P .. 'running', kind .. name)) or 0
    if number >= tonumber(cap) then
        return number, cap
    end
end

-- The first lane of all that the worker may take from.
local function first_lane(has)
    if has == '' then
        return call('ZRANGE', P .. 'act:', '0', '0')[1], ''
    end
    local best, labels, score
    local top = call('ZRANGE', P .. 'act:', '0', '0', 'WITHSCORES')
    if top[1] then
        best, labels, score = top[1], '', tonumber(top[2])
    end
    for _, set in ipairs(call('SRANDMEMBER', P .. 'labels', 256)) do
        if fits(set, has) then
            top = call('ZRANGE', P .. 'act:' .. set, 0, 0, 'WITHSCORES')
            if not top[1] then
                call('SREM', P .. 'labels', set)
            elseif not best or tonumber(top[2]) < score then
                best, labels, score = top[1], set, tonumber(top[2])
            end
        end
    end
    return best, labels
end

-- Set a lane aside until something ends of what is at its cap: `why` is t and
-- a tenant, or p and a pipeline.
local function park(labels, member, why)
    local act = P .. 'act:' .. labels
    call('ZADD', P .. 'parked:' .. why, call('ZSCORE', act, member),
         member .. ':' .. labels)
    call('SADD', P .. 'parked', why)
    call('ZREM', act, member)
end

local function unpark(why)
    local lanes = call('ZRANGE', P .. 'parked:' .. why, 0, -1, 'WITHSCORES')
    for i = 1, #lanes, 2 do
        local class, tenant, labels =
            string.match(lanes[i], '^(%d):([^:]*):(.*)$')
        enlist(labels, class, tenant, tonumber(lanes[i + 1]))
    end
    call('DEL', P .. 'parked:' .. why)
    call('SREM', P .. 'parked', why)
end

local function unpark_some(limit)
    for _, why in ipairs(call('SRANDMEMBER', P .. 'parked', limit)) do
        unpark(why)
    end
end

-- The first of a lane whose pipeline is not at its cap; taken out of it. Or
-- nil and a pipeline that is.
local function take(lane)
    if not conf.capped then
        return call('ZPOPMIN', lane)[1]
    end
    local full
    for _, id in ipairs(call('ZRANGE', lane, 0, 15)) do
        local pipeline = call('HGET', P .. 'job:' .. id, 'pipeline')
        if not pipeline or not at_cap('p', pipeline) then
            call('ZREM', lane, id)
            return id
        end
        full = full or pipeline
    end
    return nil, full
end

local taken -- slots, once it was asked

-- w: worker, nonce, has (labels), lease_ms, grace_ms
local function hand_out(id, tenant, w)
    local job = P .. 'job:' .. id
    local f = call('HMGET', job, 'state', 'epoch', 'pipeline', 'payload',
                   'expires_at_ms', 'report')
    if f[1] ~= 'ready' then
        return nil
    end
    if f[5] then
        if tonumber(f[5]) <= now then
            end_job(id, load_job(id), 'failed', 'expired')
            return nil
        end
        call('ZREM', P .. 'deadlines', id)
        call('HDEL', job, 'expires_at_ms') -- it started in time
    end
    local epoch = text((tonumber(f[2]) or 0) + 1)
    call('HSET', job, 'state', 'running', 'epoch', epoch, 'nonce', w.nonce,
         'worker', w.worker, 'started_at_ms', stamp)
    hold_slot(id .. ':' .. epoch .. ':' .. tenant .. ':' .. f[3],
              now + w.lease_ms + w.grace_ms)
    add('SADD', P .. 'held:' .. w.worker, id)
    taken = taken + 1
    if f[6] then
        report_due(id, f[6])
    end
    return {id, epoch, f[4]}
end

-- An earlier request with this nonce was answered, but the answer was lost. All
-- workers ask so when Redis comes back: each looks at its own jobs only.
local function granted_before(w)
    for _, id in ipairs(call('SMEMBERS', P .. 'held:' .. w.worker)) do
        local f = load(P .. 'job:' .. id, 'state', 'nonce', 'epoch', 'tenant',
                       'pipeline')
        if f.state == 'running' and f.nonce == w.nonce then
            -- The worker counts its end from this request on.
            hold_slot(slot_of(id, f), now + w.lease_ms + w.grace_ms)
            return {id, f.epoch, call('HGET', P .. 'job:' .. id, 'payload')}
        end
    end
    return nil
end

-- How much of its virtual time a job takes.
local function share_of(tenant)
    local weight = conf.weighted and
        call('HGET', P .. 'conf', 'weight:' .. tenant)
    -- Beyond a thousand, adding it to the time would not change that.
    return weight and 1 / math.min(tonumber(weight), 1000) or '1'
end

-- -> {id, epoch, payload}, or {word}: 'full' (no slot), 'none' (no job), 'more'
-- (it did not look at all that wait)
local function grant(w)
    local max = tonumber(conf.max_instances) or w.max_instances
    if w.again then
        local lease = granted_before(w)
        if lease then
            return lease
        end
    end
    taken = taken or call('ZCARD', P .. 'slots')
    if taken >= max then
        return {'full'}
    end
    for _ = 1, 200 do -- lanes and jobs that are passed over
        local member, labels = first_lane(w.has)
        if not member then
            return {'none'}
        end
        local act = P .. 'act:' .. labels
        local tenant = string.sub(member, 3)
        if at_cap('t', tenant) then
            park(labels, member, 't' .. tenant)
        else
            local id, full = take(P .. 'ready:' .. member .. ':' .. labels)
            if id then
                local lease = hand_out(id, tenant, w)
                if lease then
                    call('ZINCRBY', act, share_of(tenant), member)
                    return lease
                end
            elseif full then
                park(labels, member, 'p' .. full)
            else
                call('ZREM', act, member)
            end
        end
    end
    return {'more'}
end

-- From ARGV: worker labels max_instances lease_ms grace_ms idle_ms. `again`: 1
-- repeats a request whose answer was lost; labels: '' or ',a,b,'
local function wanted(nonce, again)
    return {worker = ARGV[1], nonce = nonce, again = again == '1',
            has = ARGV[2], max_instances = tonumber(ARGV[3]),
            lease_ms = tonumber(ARGV[4]), grace_ms = tonumber(ARGV[5]),
            idle_ms = tonumber(ARGV[6])}
end

-- Who got nothing waits for a bell, if it says for how long.
local function grant_or_wait(w)
    local lease = grant(w)
    if lease[1] == 'more' then
        tell(w.worker, 'job')
    elseif not lease[2] and w.idle_ms > 0 then
        call('ZADD', P .. 'idle', now + w.idle_ms, w.worker)
        call('PEXPIRE', P .. 'idle', 3600000)
    end
    return lease
end
