-- lanes.lua - for those who only look: every lane that may hold a job.
-- fn(lane key, class, tenant, labels); LIMIT lanes a set of labels.
local function each_lane(fn)
    local LIMIT, seen = 2000, {}
    local sets = call('SMEMBERS', P .. 'labels')
    sets[#sets + 1] = ''
    for _, labels in ipairs(sets) do
        for _, member in ipairs(call('ZRANGE', P .. 'act:' .. labels, 0,
                                     LIMIT - 1)) do
            local lane = member .. ':' .. labels
            seen[lane] = true
            fn(P .. 'ready:' .. lane, string.sub(member, 1, 1),
               string.sub(member, 3), labels)
        end
    end
    for _, why in ipairs(call('SRANDMEMBER', P .. 'parked', LIMIT)) do
        for _, lane in ipairs(call('ZRANGE', P .. 'parked:' .. why, 0,
                                   LIMIT - 1)) do
            if not seen[lane] then -- a new job puts it in line again
                seen[lane] = true
                fn(P .. 'ready:' .. lane,
                   string.match(lane, '^(%d):([^:]*):(.*)$'))
            end
        end
    end
end

-- Every group's line of those that wait: fn(key). The first 10000 or so.
local function each_group(fn)
    local at = '0'
    for _ = 1, 20 do
        local page = call('HSCAN', P .. 'groups', at, 'COUNT', 500)
        for i = 1, #page[2], 2 do
            fn(P .. 'group:' .. page[2][i])
        end
        at = page[1]
        if at == '0' then
            break
        end
    end
end
