-- logs.lua - what logs take of the pool's budget.
-- logs ranks them by their last entry, log_sizes has the bytes of each, and
-- the sum of all as `total`; log:<id>:<epoch> has the counters of one.
local function grow_log(name, bytes)
    call('HINCRBY', P .. 'log_sizes', name, bytes)
    return call('HINCRBY', P .. 'log_sizes', 'total', bytes)
end

local function drop_log(name)
    local size = call('HGET', P .. 'log_sizes', name)
    local log = P .. 'log:' .. name
    if size then
        call('HINCRBY', P .. 'log_sizes', 'total', -size)
        call('HDEL', P .. 'log_sizes', name)
    end
    call('ZREM', P .. 'logs', name)
    call('DEL', log, log .. ':head', log .. ':tail')
end
