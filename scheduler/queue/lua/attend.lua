-- attend.lua - a scheduler takes a delivery that is due, for a while.
-- ARGV scheduler claim lifetime_ms forges; those that it can deal with, the one
-- whose turn it is first, with blanks between
-- -> {id, forge, event, repo, body, attempts, started_at_ms, replays, now},
--    or {'', when the next one is due (0: none), now}
-- The score in deliveries:waiting:<forge> is when one may be taken: a claim moves it
-- to where the claim ends, so that what a dead scheduler had comes to another.
local REPOS_MS = 2592000000 -- 30 days
local REPOS = 1000

-- Which repositories there are, for who asks their hosts what was missed.
local function note_repo(f)
    if not f.repo or f.repo == '' then
        return
    end
    call('ZADD', P .. 'repos', stamp, f.forge .. ' ' .. f.repo)
    call('ZREMRANGEBYSCORE', P .. 'repos', '-inf', now - REPOS_MS)
    for _, old in ipairs(call('ZREVRANGE', P .. 'repos', REPOS, -1)) do
        call('ZREM', P .. 'repos', old)
    end
    call('PEXPIRE', P .. 'repos', text(REPOS_MS))
end

-- The first that is due; one that somebody removed by hand is none.
local function first_due(waiting)
    while true do
        local id = call('ZRANGEBYSCORE', waiting, '-inf', stamp, 'LIMIT', 0,
                        1)[1]
        if not id or call('EXISTS', P .. 'delivery:' .. id) == 1 then
            return id
        end
        call('ZREM', waiting, id)
    end
end

local later = 0
for forge in string.gmatch(ARGV[4], '%S+') do
    local waiting = P .. 'deliveries:waiting:' .. forge
    local id = first_due(waiting)
    if id then
        local key = P .. 'delivery:' .. id
        local f = load(key, 'forge', 'event', 'repo', 'body', 'started_at_ms',
                       'replays')
        call('ZADD', waiting, text(now + ARGV[3]), id)
        call('HSET', key, 'claim', ARGV[2], 'scheduler', ARGV[1])
        call('HSETNX', key, 'started_at_ms', stamp)
        note_repo(f)
        return {id, f.forge, f.event or '', f.repo or '', f.body or '',
                call('HINCRBY', key, 'attempts', 1),
                tonumber(f.started_at_ms or stamp), tonumber(f.replays or 0),
                now}
    end
    local next_at = tonumber(call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2])
    if next_at and (later == 0 or next_at < later) then
        later = next_at
    end
end
return {'', later, now}
