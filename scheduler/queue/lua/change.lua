-- change.lua - the jobs of a change of a Git host, the youngest first.
-- ARGV forge repo change limit
-- -> id, pipeline, state, commit of each
local key = change_of({forge = ARGV[1], repo = ARGV[2], change = ARGV[3]})
local answer = {}
for _, id in ipairs(key and call('ZREVRANGE', P .. 'change:' .. key, 0,
                                 ARGV[4] - 1) or {}) do
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
