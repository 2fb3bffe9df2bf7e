-- change.lua - the jobs of a change of a Git host, or of a commit, the youngest
-- first.
-- ARGV forge repo change limit; change: its number, or the commit
-- -> id, pipeline, state, commit of each
local where = {forge = ARGV[1], repo = ARGV[2]}
where[#ARGV[3] < 40 and 'change' or 'commit'] = ARGV[3]
local key = lists_of(where)[1]
local answer = {}
for _, id in ipairs(key and call('ZREVRANGE', key, 0, ARGV[4] - 1) or {}) do
    local f = load(P .. 'job:' .. id, 'pipeline', 'state', 'report')
    local commit = read_report(f.report).commit
    if f.state then
        for _, word in ipairs({id, f.pipeline or '', f.state,
                               type(commit) == 'string' and commit or ''}) do
            answer[#answer + 1] = word
        end
    end
end
return answer
