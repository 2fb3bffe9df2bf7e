-- accept.lua - take a job in, from JOB_ARGS arguments beginning at ARGV[at]:
--  0 id               1 payload           2 of a run: how many jobs; else 0
--  3 tenant           4 pipeline          5 class (0 urgent to 3 low)
--  6 labels           7 not_before_ms     8 expires_at_ms
--  9 dedupe key      10 dedupe_ms        11 group
-- 12 cancel_in_progress                  13 group_queue (0: any number)
-- 14 job_retries     15 infra_retries    16 report (JSON)
-- 17 about (JSON, for people)            18 as_of_ms
-- '' or 0 is none; infra_retries '' is the pool's.
-- -> {id, 'queued'}, {id, 'exists'}, {other id, 'duplicate'},
--    {id, 'overtaken'}
local JOB_ARGS = 19

-- Whether a job of another commit of the change is there whose host was asked
-- later, and said that it is the head. That one was put in since.
local function is_overtaken(json, as_of_ms)
    local report = read_report(json)
    local list = change_of(report)
    for _, id in ipairs(list and
                        call('ZRANGEBYSCORE', P .. 'change:' .. list,
                             text(as_of_ms * 1000), '+inf') or {}) do
        local f = load(P .. 'job:' .. id, 'as_of_ms', 'report')
        if (tonumber(f.as_of_ms) or 0) > as_of_ms and
            read_report(f.report).commit ~= report.commit then
            return true
        end
    end
    return false
end

local function accept(at, seq, parent, index)
    local id = ARGV[at]
    local job = P .. 'job:' .. id
    local dedupe, delay = ARGV[at + 9], tonumber(ARGV[at + 7])
    local as_of_ms = tonumber(ARGV[at + 18])
    local f = {kind = ARGV[at + 2] == '0' and 'job' or 'run',
               tenant = ARGV[at + 3], class = ARGV[at + 5],
               labels = ARGV[at + 6], seq = text(seq)}
    local set = {'payload', ARGV[at + 1], 'kind', f.kind, 'tenant', f.tenant,
                 'pipeline', ARGV[at + 4], 'class', f.class, 'priority',
                 f.class, 'seq', f.seq, 'submitted_at_ms', stamp}

    local function also(name, value, none)
        if value and value ~= '' and value ~= none then
            set[#set + 1] = name
            set[#set + 1] = value
            return value
        end
    end

    if not parent and call('EXISTS', job) == 1 then
        return {id, 'exists'}
    end
    if as_of_ms > 0 and is_overtaken(ARGV[at + 16], as_of_ms) then
        return {id, 'overtaken'}
    end
    if dedupe ~= '' and not call('SET', P .. 'dedupe:' .. dedupe, id, 'NX',
                                 'PX', ARGV[at + 10]) then
        return {call('GET', P .. 'dedupe:' .. dedupe), 'duplicate'}
    end
    also('jobs', ARGV[at + 2], '0')
    also('labels', f.labels)
    f.expires_at_ms = also('expires_at_ms', ARGV[at + 8], '0')
    f.group = also('group', ARGV[at + 11])
    f.cancel_in_progress = also('cancel_in_progress', ARGV[at + 12], '0')
    f.group_queue = also('group_queue', ARGV[at + 13], '0')
    also('job_retries', ARGV[at + 14], '0')
    also('infra_retries', ARGV[at + 15])
    f.report = also('report', ARGV[at + 16])
    also('about', ARGV[at + 17])
    also('as_of_ms', ARGV[at + 18], '0')
    f.parent = also('parent', parent)
    also('index', index)
    if f.expires_at_ms then
        call('ZADD', P .. 'deadlines', f.expires_at_ms, id)
    end
    if f.report then
        report_new(id, f.report, f.seq)
    end
    if delay > now then
        also('not_before_ms', ARGV[at + 7])
        call('HSET', job, 'state', 'delayed', unpack(set))
        call('ZADD', P .. 'delayed', delay, id)
    elseif f.kind == 'job' and not f.group then
        call('HSET', job, 'state', 'ready', unpack(set))
        make_ready(id, f)
    else
        call('HSET', job, unpack(set))
        enter(id, f)
    end
    return {id, 'queued'}
end
