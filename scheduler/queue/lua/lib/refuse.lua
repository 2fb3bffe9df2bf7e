-- refuse.lua - keep a wrong document, with the reason.
local KEEP_BYTES = 1048576 -- of the document: its beginning
local KEEP_COUNT = 1000

local function refuse(id, document, reason, scheduler)
    local key = P .. 'rejected:' .. id
    call('HSET', key, 'document', string.sub(document, 1, KEEP_BYTES),
         'reason', reason, 'scheduler', scheduler, 'rejected_at_ms', stamp)
    call('PEXPIRE', key, keep_ms)
    call('ZADD', P .. 'rejected', stamp, id)
    call('PEXPIRE', P .. 'rejected', keep_ms)
    -- A flood of wrong documents must not fill Redis.
    local excess = call('ZCARD', P .. 'rejected') - KEEP_COUNT
    if excess > 0 then
        for _, old in ipairs(call('ZRANGE', P .. 'rejected', 0,
                                  excess - 1)) do
            call('DEL', P .. 'rejected:' .. old)
            call('ZREM', P .. 'rejected', old)
        end
    end
end
