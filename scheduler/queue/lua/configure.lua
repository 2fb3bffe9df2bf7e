-- configure.lua - set what all workers and schedulers of the pool go by.
-- ARGV name value …; weights and caps that are not named are forgotten
-- -> 1
local keep = {reaped_at_ms = true, reap_from_ms = true}
local set = {}
for i = 1, #ARGV, 2 do
    set[ARGV[i]] = ARGV[i + 1]
end
for _, name in ipairs(call('HKEYS', P .. 'conf')) do
    if not keep[name] and not set[name] then
        call('HDEL', P .. 'conf', name)
    end
end
for name, value in pairs(set) do -- unpack() has its limits
    call('HSET', P .. 'conf', name, value)
end
call('PEXPIRE', P .. 'conf', 2592000000)
conf.capped = set.capped
recount_slots()
unpark_some(1000) -- a cap may be gone
ring_waiting()
return 1
