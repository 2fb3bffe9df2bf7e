-- slots.lua - what may still run. Its size is all that max_instances asks.
-- Where there are caps, `running` counts the slots of each tenant (t and its
-- name) and pipeline (p and its name), so that nobody has to look at them all.

-- complete.lua ends several jobs: what they have in common, like the slots, is
-- changed by one command for all of them. While `batch` is a table it has
-- {command, key, word …} by command and key.
local batch

local function add(command, key, ...)
    if not batch then
        call(command, key, ...)
        return
    end
    local at = command .. key
    local words = batch[at]
    if not words then
        words = {command, key}
        batch[at] = words
        batch[#batch + 1] = words
    end
    for i = 1, select('#', ...) do
        words[#words + 1] = (select(i, ...))
    end
end

local function send_batch()
    for _, words in ipairs(batch) do
        call(unpack(words))
    end
    batch = {}
end

local function slot_of(id, f)
    return id .. ':' .. f.epoch .. ':' .. f.tenant .. ':' .. f.pipeline
end

-- -> the fields of `running` that count a slot
local function counters_of(slot)
    local tenant, pipeline = string.match(slot, '^[^:]*:[^:]*:([^:]*):(.*)$')
    return 't' .. (tenant or ''), 'p' .. (pipeline or '')
end

local function count(slot, by)
    for _, name in ipairs({counters_of(slot)}) do
        if call('HINCRBY', P .. 'running', name, by) < 1 then
            call('HDEL', P .. 'running', name)
        end
    end
end

-- Take a slot, or keep it, until then.
local function hold_slot(slot, until_ms)
    if not conf.capped then
        add('ZADD', P .. 'slots', until_ms, slot)
    elseif call('ZADD', P .. 'slots', until_ms, slot) == 1 then
        count(slot, 1)
    end
end

local function free_slot(slot)
    if not conf.capped then
        add('ZREM', P .. 'slots', slot)
    elseif call('ZREM', P .. 'slots', slot) == 1 then
        count(slot, -1)
    end
end

-- What `running` is to be, of the slots themselves.
local function count_slots()
    local counts = {}
    for _, slot in ipairs(conf.capped and
                          call('ZRANGE', P .. 'slots', 0, -1) or {}) do
        for _, name in ipairs({counters_of(slot)}) do
            counts[name] = (counts[name] or 0) + 1
        end
    end
    return counts
end

-- Count again: there were no caps before, or somebody took a slot who counts
-- none, such as a worker of an older version.
local function recount_slots()
    call('DEL', P .. 'running')
    for name, number in pairs(count_slots()) do
        call('HSET', P .. 'running', name, number)
    end
    if conf.capped then
        call('HSET', P .. 'conf', 'counted_at_ms', stamp)
    end
end
