-- trim.lua - forget what ended long ago, or what is too many.
-- ARGV keep_count
-- -> how many jobs were forgotten
-- What is still to be reported is kept, as long as the dead at most, and so is
-- a job of a run that has not ended: the run's result tells of it. Keys have
-- lifetimes besides, for pools that nobody looks after any more. From time to
-- time the slots are counted again.
local LIMIT, RECOUNT_MS = 128, 60000
local keep_count = tonumber(ARGV[1])
local gone = 0

local function forget(id)
    local job = P .. 'job:' .. id
    local f = load(job, 'epoch', 'report', 'parent')
    if report_waits(id, f.report) or f.parent and
        call('HGET', P .. 'job:' .. f.parent, 'state') == 'running' then
        -- Behind the others: many of these must not hide what can go.
        call('ZADD', P .. 'done', 'XX', stamp, id)
        return
    end
    for epoch = math.max(1, (tonumber(f.epoch) or 0) - 15),
        tonumber(f.epoch) or 0 do
        drop_log(id .. ':' .. text(epoch))
    end
    if f.report then
        report_forget(id, f.report)
    end
    call('DEL', job, P .. 'run:' .. id)
    call('ZREM', P .. 'done', id)
    call('ZREM', P .. 'dead', id)
    gone = gone + 1
end

-- The dead are kept for longer.
local function retire(id)
    if call('ZSCORE', P .. 'dead', id) then
        call('ZREM', P .. 'done', id)
    else
        forget(id)
    end
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'done', '-inf', now - keep_ms,
                         'LIMIT', 0, LIMIT)) do
    retire(id)
end
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'dead', '-inf', now - dead_ms,
                         'LIMIT', 0, LIMIT)) do
    forget(id)
end
local excess = call('ZCARD', P .. 'done') - keep_count
if excess > 0 then
    for _, id in ipairs(call('ZRANGE', P .. 'done', 0,
                             math.min(excess, LIMIT) - 1)) do
        retire(id)
    end
end
-- Its keys are gone by themselves by now, as its job may be; not what it counts.
for _, log in ipairs(call('ZRANGEBYSCORE', P .. 'logs', '-inf', now - keep_ms,
                          'LIMIT', 0, LIMIT)) do
    drop_log(log)
end
for _, name in ipairs({'done', 'dead', 'logs', 'log_sizes', 'rejected'}) do
    call('PEXPIRE', P .. name, longest_ms)
end
for _, host in ipairs(HOSTS) do
    call('ZREMRANGEBYSCORE', P .. 'outbox:' .. host, '-inf', now - longest_ms)
end
call('ZREMRANGEBYSCORE', P .. 'unreported', '-inf', now - longest_ms)
for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '-inf',
                             now - 86400000, 'LIMIT', 0, LIMIT)) do
    call('ZREM', P .. 'workers', worker)
    if call('HGET', P .. 'worker:' .. worker, 'drain') ~= '1' then
        call('DEL', P .. 'worker:' .. worker)
    end
end
if not conf.capped or RECOUNT_MS <
    now - (tonumber(call('HGET', P .. 'conf', 'counted_at_ms')) or 0) then
    recount_slots()
end
call('ZREMRANGEBYSCORE', P .. 'rejected', '-inf', now - keep_ms)
call('ZREMRANGEBYSCORE', P .. 'idle', '-inf', now)
return gone
