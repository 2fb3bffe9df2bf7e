-- watch.lua - a scheduler is alive; what dead ones held goes back.
-- ARGV scheduler timeout_ms
-- -> {documents given back, run ids that wait to be decided …}
local answer = {0}
call('ZADD', P .. 'schedulers', stamp, ARGV[1])
call('PEXPIRE', P .. 'schedulers', keep_ms)
local gone = now - ARGV[2] - 600000 -- and nothing that it asked for comes
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'schedulers', '-inf',
                           now - ARGV[2], 'LIMIT', 0, 256)) do
    local held = P .. 'inbox:' .. name
    for _ = 1, 64 do
        -- To the end that is taken first: it waited longest.
        if not call('LMOVE', held, P .. 'inbox', 'LEFT', 'RIGHT') then
            break
        end
        answer[1] = answer[1] + 1
    end
    if call('EXISTS', held) == 0 and
        tonumber(call('ZSCORE', P .. 'schedulers', name)) < gone then
        call('ZREM', P .. 'schedulers', name)
    end
end
for _, id in ipairs(call('ZRANGE', P .. 'dirty', 0, 15)) do
    answer[#answer + 1] = id
    -- To the end: one that cannot be decided must not hide the others.
    call('ZADD', P .. 'dirty', stamp, id)
end
return answer
