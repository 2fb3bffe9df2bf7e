-- pass.lua - a worker was rung for a job and takes none now: ring another.
-- ARGV worker
-- -> 1
call('ZREM', P .. 'idle', ARGV[1])
ring_waiting()
return 1
