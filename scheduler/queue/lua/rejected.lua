-- rejected.lua - wrong documents of the inbox, the newest first.
-- ARGV id limit; with an id (not ''): that one, with its document
-- -> a row each: id reason rejected_at_ms scheduler bytes [document]
local ids, rows = {ARGV[1]}, {}

if ARGV[1] == '' then
    ids = call('ZREVRANGE', P .. 'rejected', 0, ARGV[2] - 1)
end
for _, id in ipairs(ids) do
    local key = P .. 'rejected:' .. id
    local f = load(key, 'reason', 'rejected_at_ms', 'scheduler')
    if f.reason then
        rows[#rows + 1] = {id, f.reason, f.rejected_at_ms or '0',
                           f.scheduler or '',
                           call('HSTRLEN', key, 'document')}
        if ARGV[1] ~= '' then
            table.insert(rows[#rows], call('HGET', key, 'document') or '')
        end
    end
end
return rows
