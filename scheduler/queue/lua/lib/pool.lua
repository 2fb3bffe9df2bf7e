-- pool.lua - what every script begins with.
-- KEYS[1] is berth:{pool}: everywhere: all keys of a pool have one hash tag,
-- so every transition is one script. Time is Redis' own.
local P, call = KEYS[1], redis.call
local time = call('TIME')
local stamp = time[1] .. string.sub(string.format('%06d', time[2]), 1, 3)
local now = tonumber(stamp) -- formatting numbers is what costs most: once

-- A whole number as text: tostring() would round it.
local function text(n)
    return string.format('%.0f', n)
end

-- Some fields of a hash by name; what it does not have is nil.
local function load(key, ...)
    local values, f = call('HMGET', key, ...), {}
    for i = 1, #values do
        f[select(i, ...)] = values[i] or nil
    end
    return f
end

-- What `berth scheduler` set for the pool (configure.lua), or the defaults.
-- What is for failures only is read there.
local conf = load(P .. 'conf', 'max_instances', 'keep_ms', 'dead_keep_ms',
                  'weighted', 'capped')
local keep_ms = conf.keep_ms or '604800000' -- as text
local dead_ms = conf.dead_keep_ms or '2592000000'
local longest_ms = tonumber(dead_ms) > tonumber(keep_ms) and dead_ms or keep_ms
