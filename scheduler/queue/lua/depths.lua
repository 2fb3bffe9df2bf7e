-- depths.lua - how full the pool is.
-- -> {{name, number, …}, {{worker, {name, value, …}}, …}}, those seen last
-- first; of many lanes and groups only the first are counted (lib/lanes.lua)
local numbers, workers = {}, {}
local ready = {['0'] = 0, ['1'] = 0, ['2'] = 0, ['3'] = 0}
local blocked, inflight, outbox = 0, 0, 0

local function say(name, number)
    numbers[#numbers + 1] = name
    numbers[#numbers + 1] = tostring(number)
end

each_lane(function(lane, class)
    ready[class] = ready[class] + call('ZCARD', lane)
end)
each_group(function(group)
    blocked = blocked + call('ZCARD', group)
end)
for _, name in ipairs(call('ZRANGE', P .. 'schedulers', 0, 63)) do
    inflight = inflight + call('LLEN', P .. 'inbox:' .. name)
end
say('now_ms', stamp)
say('scheduler_seen_at_ms', call('ZREVRANGE', P .. 'schedulers', 0, 0,
                                 'WITHSCORES')[2] or 0)
say('inbox', call('LLEN', P .. 'inbox'))
say('inbox_held', inflight)
say('delayed', call('ZCARD', P .. 'delayed'))
say('blocked', blocked)
say('ready_urgent', ready['0'])
say('ready_high', ready['1'])
say('ready_normal', ready['2'])
say('ready_low', ready['3'])
say('running', call('ZCARD', P .. 'slots'))
say('max_instances', conf.max_instances or '0')
say('runs', call('ZCARD', P .. 'runs'))
say('done', call('ZCARD', P .. 'done'))
say('dead', call('ZCARD', P .. 'dead'))
say('rejected', call('ZCARD', P .. 'rejected'))
for _, host in ipairs(HOSTS) do
    local pause = call('PTTL', P .. 'paused:' .. host)
    outbox = outbox + call('ZCARD', P .. 'outbox:' .. host)
    if pause > 0 then
        say(host .. '_paused_ms', pause)
    end
end
say('outbox', outbox)
say('unreported', call('ZCARD', P .. 'unreported'))
say('log_bytes', call('HGET', P .. 'log_sizes', 'total') or '0')
for _, worker in ipairs(call('ZREVRANGE', P .. 'workers', 0, 199)) do
    workers[#workers + 1] = {worker, call('HGETALL', P .. 'worker:' .. worker)}
end
return {numbers, workers}
