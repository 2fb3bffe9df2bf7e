-- settle.lua - what became of a delivery that waited.
-- ARGV id keep_ms state reason; state: 'done', 'ignored', 'failed'
-- -> 1, or 0: it does not wait (any more)
if call('ZREM', P .. 'deliveries:waiting', ARGV[1]) == 0 then
    return 0
end
settle(ARGV[1], ARGV[3], ARGV[4], ARGV[2])
return 1
