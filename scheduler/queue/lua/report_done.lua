-- report_done.lua - what became of a report; the host is free for the next.
-- ARGV host nonce what message after_ms rand, notes comments resolved, 1: what
-- was posted follows: fingerprint state …
-- what: 'done'; 'again'; 'unserved', by another, if there comes one in time;
-- 'paused', for after_ms; 'refused'; 'released', nobody knows: at once, by
-- another
-- -> what became of it: 'done', 'due' (it changed meanwhile), 'again',
-- 'unserved', 'paused', 'refused', 'released'; 'lost': somebody else holds the host
local host, nonce, what, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local after_ms, rand = tonumber(ARGV[5]), tonumber(ARGV[6])
local FIRST, LATEST_MS, POSTED_MS = 2000, 600000, 7776000000
local UNSERVED_LATEST_MS = 30000
local outbox, lane = P .. 'outbox:' .. host, P .. 'reporting:' .. host
local held = load(lane, 'nonce', 'id', 'rev')

if held.nonce ~= nonce then
    return 'lost'
end
call('DEL', lane)
local id = held.id
local job = P .. 'job:' .. id
local f = load(job, 'state', 'report', 'report_rev', 'report_tries',
               'report_failed_at_ms')
if not f.state then
    call('ZREM', outbox, id)
    return what
end

-- The change's comments are as they are, whatever becomes of the job.
local function keep_posted()
    local change = change_of(read_report(f.report))
    if not change or ARGV[10] ~= '1' then
        return
    end
    local key = P .. 'posted:' .. change
    call('DEL', key)
    for at = 11, #ARGV, 1000 do
        call('HSET', key, unpack(ARGV, at, math.min(at + 999, #ARGV)))
    end
    call('PEXPIRE', key, POSTED_MS)
end

-- What the host said that it did not do.
local function note_failure()
    call('HSET', job, 'report_error', message, 'report_error_at_ms', stamp)
    if not f.report_failed_at_ms then
        call('HSET', job, 'report_failed_at_ms', stamp)
    end
end

local function refuse()
    note_failure()
    call('HDEL', job, 'report_tries', 'report_failed_at_ms')
    if f.report_rev ~= held.rev then
        call('ZADD', outbox, stamp, id)
        return 'due'
    end
    call('ZREM', outbox, id)
    call('ZADD', P .. 'unreported', stamp, id)
    call('PEXPIRE', P .. 'unreported', longest_ms)
    return 'refused'
end

if what == 'done' then
    keep_posted()
    call('HSET', job, 'report_told', held.rev, 'report_told_at_ms', stamp,
         'report_notes', ARGV[7])
    call('HINCRBY', job, 'report_comments', ARGV[8])
    call('HINCRBY', job, 'report_resolved', ARGV[9])
    call('HDEL', job, 'report_error', 'report_error_at_ms', 'report_tries',
         'report_failed_at_ms')
    if f.report_rev ~= held.rev then
        call('ZADD', outbox, stamp, id)
        return 'due'
    end
    call('ZREM', outbox, id)
elseif what == 'refused' then
    return refuse()
elseif what == 'paused' then
    note_failure()
    call('SET', P .. 'paused:' .. host, message, 'PX',
         text(math.max(1, after_ms)))
elseif what == 'again' or what == 'unserved' then
    local unserved = what == 'unserved'
    local since = now - (tonumber(f.report_failed_at_ms) or now)
    if since > tonumber(longest_ms) or unserved and since > UNSERVED_MS and
        not is_served(host, UNSERVED_MS) then
        return refuse()
    end
    local tries = tonumber(f.report_tries) or 0
    local wait = math.min(FIRST * 2 ^ math.min(tries, 20),
                          unserved and UNSERVED_LATEST_MS or LATEST_MS)
    note_failure()
    call('HSET', job, 'report_tries', tries + 1)
    call('ZADD', outbox, text(math.floor(now + wait * (0.5 + rand / 2))), id)
end
return what
