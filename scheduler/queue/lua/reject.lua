-- reject.lua - a document of the inbox is wrong: keep it with the reason.
-- ARGV scheduler document id reason
-- -> 1, or 0: somebody else took it over
if call('LREM', P .. 'inbox:' .. ARGV[1], 1, ARGV[2]) == 0 then
    return 0
end
refuse(ARGV[3], ARGV[2], ARGV[4], ARGV[1])
return 1
