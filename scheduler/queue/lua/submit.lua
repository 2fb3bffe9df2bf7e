-- submit.lua - put jobs in, all at once; each id only once.
-- ARGV inbox document, then jobs as accept.lua has them
-- -> one {id, what} a job, or {'lost'}, or {'taken', id, run}
-- `inbox` is '' or the list of a scheduler that holds `document`, which goes
-- with the admission; if it is not there any more, somebody else took over.
-- The jobs of a run are called <run>-1, <run>-2 …: no other job may have such
-- an id as long as the run is known, and no run begin while one has: 'taken'.
local jobs_of = {} -- by the ids of these jobs
for at = 3, #ARGV, JOB_ARGS do
    jobs_of[ARGV[at]] = tonumber(ARGV[at + 2])
end

-- The run whose job is called so, or nil.
local function run_of(id)
    local run, number = string.match(id, '^(.+)%-([1-9]%d*)$')
    if not run then
        return nil
    end
    local jobs = math.max(jobs_of[run] or 0,
                          tonumber(call('HGET', P .. 'job:' .. run, 'jobs')) or
                          0)
    return tonumber(number) <= jobs and run or nil
end

-- -> the id that two want, and the run
local function find_taken(id)
    local old = load(P .. 'job:' .. id, 'state', 'parent')
    local run = old.parent or not old.state and run_of(id)
    if run then
        return id, run
    end
    for i = 1, old.state and 0 or jobs_of[id] do
        local child = id .. '-' .. text(i)
        local f = load(P .. 'job:' .. child, 'state', 'parent')
        if f.state and f.parent ~= id then
            return child, id
        end
    end
end

for at = 3, #ARGV, JOB_ARGS do
    local id, run = find_taken(ARGV[at])
    if id then
        return {'taken', id, run}
    end
end
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
