-- lease.lua - grant the next job that fits to a worker.
-- ARGV worker nonce again labels max_instances lease_ms grace_ms idle_ms
-- -> {id, epoch, payload}; or {'none'}, {'full'}: then the worker is rung for
-- (ctl:<worker>) within idle_ms, if that is not 0
-- `again`: 1 repeats a request whose answer was lost; labels: '' or ',a,b,'
return grant_or_wait(wanted(ARGV[1], 2))
