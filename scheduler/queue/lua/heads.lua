-- heads.lua - the heads of a repository's open changes, as they were seen.
-- ARGV forge repo, then change and commit of each, in place of those before
-- -> 1
local key = P .. 'heads:' .. ARGV[1] .. ':' .. ARGV[2]
call('DEL', key)
for i = 3, #ARGV, 2 do
    call('HSET', key, ARGV[i], ARGV[i + 1])
end
call('PEXPIRE', key, 2592000000)
return 1
