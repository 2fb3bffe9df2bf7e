-- cancel.lua - ask for a job's end.
-- ARGV id reason
-- -> 'none' no such job, 'cancelled' it had not begun, 'asked', 'ended'
return cancel(ARGV[1], ARGV[2])
