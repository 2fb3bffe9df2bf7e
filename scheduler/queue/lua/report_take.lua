-- report_take.lua - the next job that its host is to be told of; the host is
-- then held, so that nobody else tells it anything.
-- ARGV scheduler nonce hold_ms, hosts …; one that it cannot tell has a - before
-- it, and is taken only if nobody who can has asked for a while
-- -> {} or {host, id, revision, state, kind, report, result, about, pipeline,
-- reason, epoch, submitted, started and ended_at_ms, failed tries, 1: latest
-- of its change, {fingerprint, state, …}: posted for the change}
-- Who asks again with the same nonce gets what an answer that was lost held.
local scheduler, nonce, hold_ms = ARGV[1], ARGV[2], ARGV[3]
local names = {'report_rev', 'state', 'kind', 'report', 'result', 'about',
               'pipeline', 'reason', 'epoch', 'submitted_at_ms',
               'started_at_ms', 'ended_at_ms', 'report_tries', 'seq'}

-- The first that is due, and its fields.
local function first_due(host)
    local outbox = P .. 'outbox:' .. host
    for _, id in ipairs(call('ZRANGEBYSCORE', outbox, '-inf', now, 'LIMIT', 0,
                             100)) do
        local f = call('HMGET', P .. 'job:' .. id, unpack(names))
        if f[2] then
            return id, f
        end
        call('ZREM', outbox, id) -- it was kept for long enough
    end
end

local ALONE_MS = 60000

local function take(host)
    if string.sub(host, 1, 1) ~= '-' then
        serve(host)
    else
        host = string.sub(host, 2)
        if is_served(host, ALONE_MS) then
            return nil
        end
    end
    local lane = P .. 'reporting:' .. host
    local held = call('HGET', lane, 'nonce')
    if held and held ~= nonce or call('EXISTS', P .. 'paused:' .. host) == 1
    then
        return nil
    end
    local id, f = first_due(host)
    if not id then
        if held then
            call('DEL', lane)
        end
        return nil
    end
    call('HSET', lane, 'nonce', nonce, 'scheduler', scheduler, 'id', id, 'rev',
         f[1] or '0')
    call('PEXPIRE', lane, hold_ms)
    local answer = {host, id}
    for i = 1, #names - 1 do
        answer[2 + i] = f[i] or ''
    end
    local change = change_of(read_report(f[4]))
    answer[16] = (not change or is_latest(change, f[14], f[7])) and 1 or 0
    answer[17] = change and call('HGETALL', P .. 'posted:' .. change) or {}
    return answer
end

for i = 4, #ARGV do
    local answer = take(ARGV[i])
    if answer then
        return answer
    end
end
return {}
