-- reports.lua - which jobs a Git host is to be told of.
-- With each change of a job that has a `report`, it is put into outbox:<host>,
-- in the script that changes it, and its revision grows. It leaves when the
-- host knows that revision. Who tells the host reads the job as it is then: so
-- changes come together, and never in a wrong order. What no host of a kind is
-- behind is in outbox:other.
local HOSTS = {'github', 'gitlab', 'gitea', 'other'}
local MAX_OF_CHANGE = 100
local UNSERVED_MS = 3600000 -- as long is waited for somebody who can tell

-- Somebody is there who can tell that kind of host, or was.
local function serve(host)
    local key = P .. 'served:' .. host
    if now - (tonumber(call('GET', key)) or 0) > 10000 then
        call('SET', key, stamp, 'PX', UNSERVED_MS)
    end
end

local function is_served(host, within_ms)
    return now - (tonumber(call('GET', P .. 'served:' .. host)) or 0) <=
        within_ms
end

-- What a job's `report` says; {}: nothing that can be understood.
local function read_report(json)
    local done, report = pcall(cjson.decode, json or '')
    return done and type(report) == 'table' and report or {}
end

-- nil: nobody is to be told.
local function host_of(report)
    for _, host in ipairs(HOSTS) do
        if report.forge == host then
            return host
        end
    end
    if report.forge == 'forgejo' then
        return 'gitea'
    end
    return type(report.forge) == 'string' and 'other' or nil
end

-- <forge>:<repo>:<change>, or nil: it is of no change.
local function change_of(report)
    local host, change = host_of(report), report.change
    if type(change) == 'number' then
        change = text(change)
    end
    if not host or type(report.repo) ~= 'string' or
        type(change) ~= 'string' or not string.match(change, '^%d+$') then
        return nil
    end
    return host .. ':' .. report.repo .. ':' .. change
end

-- <forge>:<repo>:<commit>, or nil.
local function commit_of(report)
    local host, commit = host_of(report), report.commit
    if host and type(report.repo) == 'string' and
        type(commit) == 'string' and #commit >= 40 and
        string.match(commit, '^%x+$') then
        return host .. ':' .. report.repo .. ':' .. commit
    end
end

-- The keys of the lists that a job is in: of its change, and of its commit,
-- since a host may tell of a commit without the change that it is of.
local function lists_of(report)
    local keys = {}
    for _, of in ipairs({change_of, commit_of}) do
        local list = of(report)
        keys[#keys + 1] = list and P .. 'change:' .. list
    end
    return keys
end

-- The job is another than its host knows.
local function report_due(id, json)
    local report = read_report(json)
    local host = host_of(report)
    if not host then
        return
    end
    call('HINCRBY', P .. 'job:' .. id, 'report_rev', 1)
    call('ZREM', P .. 'unreported', id)
    -- Never later than it was due already.
    call('ZADD', P .. 'outbox:' .. host, 'LT', stamp, id)
    for _, key in ipairs(lists_of(report)) do
        call('PEXPIRE', key, longest_ms)
    end
end

-- A job came: it is the youngest of its change.
local function report_new(id, json, seq)
    for _, key in ipairs(lists_of(read_report(json))) do
        call('ZADD', key, seq, id)
        call('ZREMRANGEBYRANK', key, 0, -MAX_OF_CHANGE - 1)
    end
    report_due(id, json)
end

-- When a job that waits to be reported is looked at again; nil: it waits not.
local function report_waits(id, json)
    local host = json and host_of(read_report(json))
    return host and call('ZSCORE', P .. 'outbox:' .. host, id) or nil
end

-- The job is forgotten.
local function report_forget(id, json)
    local report = read_report(json)
    local host = host_of(report)
    if host then
        call('ZREM', P .. 'outbox:' .. host, id)
        call('ZREM', P .. 'unreported', id)
    end
    for _, key in ipairs(lists_of(report)) do
        call('ZREM', key, id)
    end
end

-- Whether no younger job of the same change and pipeline is there.
local function is_latest(change, seq, pipeline)
    for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'change:' .. change,
                             '(' .. seq, '+inf')) do
        if call('HGET', P .. 'job:' .. id, 'pipeline') == pipeline then
            return false
        end
    end
    return true
end
