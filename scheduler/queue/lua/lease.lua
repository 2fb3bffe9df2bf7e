-- lease.lua - grant the next job that fits to a worker.
-- ARGV worker labels max_instances lease_ms grace_ms idle_ms nonce again
-- -> {id, epoch, payload}; or {'none'}, {'full'}: then the worker is rung for
-- (ctl:<worker>) within idle_ms, if that is not 0
return grant_or_wait(wanted(ARGV[7], ARGV[8]))
