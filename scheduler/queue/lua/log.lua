-- log.lua - append to a job's log: its head stays, its tail is a ring.
-- KEYS[1] berth:log:{pool:id:epoch}:
-- ARGV batch head_max tail_max overhead keep_ms, then step stream data gap …
-- -> 1 stored, 0 this batch is stored already
-- Sizes count `overhead` bytes an entry, so that tiny ones are bounded too.
local log = KEYS[1]
local batch, head_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local tail_max, overhead = tonumber(ARGV[3]), tonumber(ARGV[4])
local head, tail, meta = log .. 'head', log .. 'tail', log .. 'meta'
local PAGE, PAGES = 64, 128 -- entries dropped at a time, and times
local f = redis.call('HMGET', meta, 'batch', 'head_bytes', 'tail_bytes',
                     'dropped_bytes')
local head_bytes, tail_bytes = tonumber(f[2]) or 0, tonumber(f[3]) or 0
local dropped = tonumber(f[4]) or 0

if batch <= (tonumber(f[1]) or 0) then
    return 0
end

local function add(key, i)
    if ARGV[i + 3] ~= '0' then
        redis.call('XADD', key, '*', 'step', ARGV[i], 'stream', ARGV[i + 1],
                   'data', ARGV[i + 2], 'gap', ARGV[i + 3])
    else
        redis.call('XADD', key, '*', 'step', ARGV[i], 'stream', ARGV[i + 1],
                   'data', ARGV[i + 2])
    end
end

-- Drop the oldest page of the tail, or as much of it as is too much.
local function shrink()
    local page = redis.call('XRANGE', tail, '-', '+', 'COUNT', PAGE)

    if #page == 0 then
        tail_bytes = 0
    end
    for _, entry in ipairs(page) do
        if tail_bytes <= tail_max then
            return
        end
        local fields = entry[2]
        local size = string.len(fields[6])

        redis.call('XDEL', tail, entry[1])
        tail_bytes = tail_bytes - size - overhead
        dropped = dropped + size + (tonumber(fields[8]) or 0)
    end
end

for i = 6, #ARGV, 4 do
    local cost = string.len(ARGV[i + 2]) + overhead

    -- Once the tail has begun the head is closed: order is kept.
    if tail_bytes == 0 and dropped == 0 and head_bytes + cost <= head_max then
        add(head, i)
        head_bytes = head_bytes + cost
    else
        add(tail, i)
        tail_bytes = tail_bytes + cost
    end
end
for _ = 1, PAGES do
    if tail_bytes > tail_max then
        shrink()
    end
end
redis.call('HSET', meta, 'batch', string.format('%.0f', batch),
           'head_bytes', string.format('%.0f', head_bytes),
           'tail_bytes', string.format('%.0f', tail_bytes),
           'dropped_bytes', string.format('%.0f', dropped))
for _, key in ipairs({head, tail, meta}) do
    redis.call('PEXPIRE', key, ARGV[5])
end
return 1
