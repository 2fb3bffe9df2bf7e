-- deliveries.lua - what Git hosts sent, the newest first.
-- ARGV id limit; with an id (not ''): that one, or those that begin with it
-- -> a row each: {id, name, value, name, value, …}
local NAMES = {'forge', 'event', 'id', 'repo', 'source', 'bytes', 'state',
               'reason', 'received_at_ms', 'started_at_ms', 'settled_at_ms',
               'attempts', 'replays', 'scheduler', 'claim', 'jobs'}
local rows, limit = {}, tonumber(ARGV[2])

local function add(id)
    local values = call('HMGET', P .. 'delivery:' .. id, unpack(NAMES))
    local row = {id}
    for i, name in ipairs(NAMES) do
        if values[i] then
            row[#row + 1] = name
            row[#row + 1] = values[i]
        end
    end
    if #row > 1 then
        row[#row + 1] = 'order'
        row[#row + 1] = values[9] or '0'
        rows[#rows + 1] = row
    end
end

local function walk(list, count)
    for _, id in ipairs(call('ZREVRANGE', P .. list, 0, count)) do
        if string.sub(id, 1, #ARGV[1]) == ARGV[1] then
            add(id)
        end
    end
end

-- Without an id no more than are wanted of either: they are in order.
local count = ARGV[1] == '' and limit - 1 or -1
if ARGV[1] ~= '' and call('EXISTS', P .. 'delivery:' .. ARGV[1]) == 1 then
    add(ARGV[1])
else
    for _, forge in ipairs(FORGES) do
        walk('deliveries:waiting:' .. forge, count)
    end
    walk('deliveries', count)
end
table.sort(rows, function(a, b)
    return tonumber(a[#a]) > tonumber(b[#b])
end)
while #rows > limit do
    rows[#rows] = nil
end
return rows
