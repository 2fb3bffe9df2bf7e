-- log.lua - append blocks to the log of a lease: its head stays, its tail is
-- a ring. Each entry's id is the number of its first line, so that a repeat
-- adds nothing.
-- ARGV id epoch nonce budget head_max tail_max, then for each block
-- first_seq next_seq offset bytes data
-- -> 'ok', or 'lost'
-- Above the pool's budget whole logs of ended jobs go first, then the tail of
-- this one; what finds no room is not stored, which readers see by the offsets.
local OVERHEAD = 64 -- about what Redis needs for an entry besides its data
local LOOK_AT = 1024 -- of other logs at most, so that this ends soon
local id, epoch = ARGV[1], ARGV[2]
local budget = tonumber(ARGV[4])
local head_max, tail_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local name = id .. ':' .. epoch
local meta = P .. 'log:' .. name
local job = load(P .. 'job:' .. id, 'state', 'epoch', 'nonce')

if job.state ~= 'running' or job.epoch ~= epoch or job.nonce ~= ARGV[3] then
    return 'lost'
end
if call('EXISTS', meta) == 0 then
    drop_log(name) -- what a lost counter left behind must not be in the way
end
local m = load(meta, 'next_seq', 'head_bytes', 'tail_bytes', 'offset')
local next_seq = tonumber(m.next_seq) or 1
local head_bytes = tonumber(m.head_bytes) or 0
local tail_bytes = tonumber(m.tail_bytes) -- nil: the head is still open
local total = tonumber(call('HGET', P .. 'log_sizes', 'total')) or 0

-- Drop the oldest block of the tail. -> false if there is none
local function shrink()
    local first = call('XRANGE', meta .. ':tail', '-', '+', 'COUNT', 1)[1]
    if not first then
        return false
    end
    local cost = string.len(first[2][6] or '') + OVERHEAD
    call('XDEL', meta .. ':tail', first[1])
    tail_bytes = tail_bytes - cost
    total = grow_log(name, -cost)
    return true
end

-- Drop the oldest log of a job that does not run. -> false if there is none
local stay = 0 -- so many of the oldest are of jobs that run
local function evict()
    while stay < LOOK_AT do
        local oldest = call('ZRANGE', P .. 'logs', stay, stay + 15)
        for _, other in ipairs(oldest) do
            local of = load(P .. 'job:' .. string.match(other, '^[^:]*'),
                            'state')
            if of.state ~= 'running' then -- this one does
                drop_log(other)
                total = tonumber(call('HGET', P .. 'log_sizes', 'total')) or 0
                return true
            end
            stay = stay + 1
        end
        if #oldest < 16 then
            return false
        end
    end
    return false
end

local function make_room(cost)
    for _ = 1, LOOK_AT do -- a block is no larger than so many of the smallest
        if total + cost <= budget then
            return true
        end
        if not evict() then
            break
        end
    end
    if total + cost - (tail_bytes or 0) > budget then
        return false -- what is there is better than nothing
    end
    while total + cost > budget and shrink() do
    end
    return total + cost <= budget
end

local function add(at)
    local cost = string.len(ARGV[at + 4]) + OVERHEAD
    local part = ':tail'

    if not make_room(cost) then
        tail_bytes = tail_bytes or 0 -- order is kept: the head is closed
        return
    end
    if not tail_bytes and head_bytes + cost <= head_max then
        part = ':head'
        head_bytes = head_bytes + cost
    else
        tail_bytes = (tail_bytes or 0) + cost
    end
    call('XADD', meta .. part, ARGV[at] .. '-0', 'offset', ARGV[at + 2],
         'bytes', ARGV[at + 3], 'block', ARGV[at + 4])
    total = grow_log(name, cost)
    while tail_bytes and tail_bytes > tail_max and shrink() do
    end
end

for at = 7, #ARGV, 5 do
    if tonumber(ARGV[at]) >= next_seq then
        add(at)
        next_seq = tonumber(ARGV[at + 1])
        m.offset = text(ARGV[at + 2] + ARGV[at + 3])
    end
end
call('HSET', meta, 'next_seq', text(next_seq), 'head_bytes',
     text(head_bytes), 'offset', m.offset or '0')
if tail_bytes then
    call('HSET', meta, 'tail_bytes', text(tail_bytes))
end
call('ZADD', P .. 'logs', stamp, name)
for _, key in ipairs({meta, meta .. ':head', meta .. ':tail', P .. 'logs',
                      P .. 'log_sizes'}) do
    call('PEXPIRE', key, keep_ms)
end
return 'ok'
