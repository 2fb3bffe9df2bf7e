-- settle.lua - what became of a delivery that waited.
-- ARGV id keep_ms state reason claim jobs; state: 'done', 'ignored', 'failed'
-- -> 1, or 0: it does not wait (any more), or is another's
-- `claim` ('': whoever has it) is the one that attend.lua gave; `jobs` ('':
-- none) are the ids of those that were made, with blanks between them.
local key = P .. 'delivery:' .. ARGV[1]
local claim, jobs = ARGV[5] or '', ARGV[6] or ''
if claim ~= '' and call('HGET', key, 'claim') ~= claim or
    call('ZREM', waiting_of(ARGV[1]), ARGV[1]) == 0 then
    return 0
end
call('HDEL', key, 'claim')
if jobs ~= '' then
    call('HSET', key, 'jobs', jobs)
end
settle(ARGV[1], ARGV[3], ARGV[4], ARGV[2])
return 1
