-- forget.lua - remove a rejected document.
-- ARGV id
-- -> 1, or 0: there is none
call('ZREM', P .. 'rejected', ARGV[1])
return call('DEL', P .. 'rejected:' .. ARGV[1])
