-- reviewed.lua - the last results of a change that tell of a review.
-- ARGV forge repo change pipeline limit
-- -> results, the youngest first
-- `pipeline` is as a job's report names it. What a review was cut short of it
-- says itself, so who asks gets more than one.
local key = change_of({forge = ARGV[1], repo = ARGV[2], change = ARGV[3]})
local answer = {}
for _, id in ipairs(key and call('ZREVRANGE', P .. 'change:' .. key, 0, -1) or
                    {}) do
    local f = load(P .. 'job:' .. id, 'state', 'report')
    if (f.state == 'passed' or f.state == 'failed') and
        read_report(f.report).name == ARGV[4] then
        local result = call('HGET', P .. 'job:' .. id, 'result')
        if result and string.find(result, '"review":', 1, true) then
            answer[#answer + 1] = result
        end
        if #answer == tonumber(ARGV[5]) then
            break
        end
    end
end
return answer
