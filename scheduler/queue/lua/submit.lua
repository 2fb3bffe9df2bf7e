-- submit.lua - put jobs in, all at once; each id only once.
-- ARGV inbox document, then jobs as accept.lua has them
-- -> one {id, what} a job, or {'lost'}
-- `inbox` is '' or the list of a scheduler that holds `document`, which goes
-- with the admission; if it is not there any more, somebody else took over.
if ARGV[1] ~= '' and
    call('LREM', P .. 'inbox:' .. ARGV[1], 1, ARGV[2]) == 0 then
    return {'lost'}
end
local answers = {}
for at = 3, #ARGV, JOB_ARGS do
    -- The same moment for all: the order written breaks the tie.
    answers[#answers + 1] = accept(at, place() + #answers)
end
return answers
