-- asked.lua - whether what a worker asked for is still of use, and for what.
-- ARGV worker id epoch nonce asked_at_ms most old_ms
-- -> {'ok', address of the repository, report}; {'lost'}: the lease is not the
-- worker's (any more); {'late'}: nobody waits any more; {'often'}
local key = P .. 'job:' .. ARGV[2]
local f = load(key, 'state', 'epoch', 'nonce', 'worker', 'payload', 'report',
               'asked')
if f.state ~= 'running' or f.epoch ~= ARGV[3] or f.nonce ~= ARGV[4] or
    f.worker ~= ARGV[1] then
    return {'lost'}
end
local at = tonumber(ARGV[5]) or 0
if at > now or now - at > tonumber(ARGV[7]) then
    return {'late'}
end
local epoch, times = string.match(f.asked or '', '^(%d+):(%d+)$')
times = epoch == ARGV[3] and tonumber(times) or 0
if times >= tonumber(ARGV[6]) then
    return {'often'}
end
call('HSET', key, 'asked', ARGV[3] .. ':' .. times + 1)
local ok, payload = pcall(cjson.decode, f.payload or '')
local repo = ok and type(payload) == 'table' and payload.repo
return {'ok', type(repo) == 'string' and repo or '', f.report or ''}
