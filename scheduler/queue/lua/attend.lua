-- attend.lua - a scheduler takes a delivery that is due, for a while.
-- ARGV scheduler claim lifetime_ms forges; those that it can deal with, with a
-- blank before and behind each
-- -> {id, forge, event, repo, body, attempts, started_at_ms, replays, now},
--    or {'', when the next one is due (0: none), now}
-- The score in deliveries:waiting is when one may be taken: a claim moves it
-- to where the claim ends, so that what a dead scheduler had comes to another.
local waiting = P .. 'deliveries:waiting'
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

local function is_ours(forge)
    return string.find(ARGV[4], ' ' .. forge .. ' ', 1, true)
end

for _, id in ipairs(call('ZRANGEBYSCORE', waiting, '-inf', stamp, 'LIMIT', 0,
                         1024)) do
    local key = P .. 'delivery:' .. id
    local forge = call('HGET', key, 'forge')
    if not forge then
        call('ZREM', waiting, id) -- somebody removed it by hand
    elseif is_ours(forge) then
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
end
-- What is due already is others'.
local later = call('ZRANGEBYSCORE', waiting, '(' .. stamp, '+inf',
                   'WITHSCORES', 'LIMIT', 0, 1)[2]
return {'', tonumber(later or 0), now}
