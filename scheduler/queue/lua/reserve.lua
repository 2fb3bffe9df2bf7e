-- reserve.lua - a job may spend so much of a model's budgets of today.
-- ARGV id epoch model repository, then thrice requests tokens micro_usd: what
--   the job may spend, and what its repository and all together may; 0: any
-- -> {1, date}; {0, 'repository' or 'day', 'requests', 'tokens' or 'micro_usd',
--    what is reserved or spent already, limit, what is asked for}
local kinds = {'requests', 'tokens', 'micro_usd'}

-- The date of a day counted from 1970 (Howard Hinnant, days_from_civil).
local function date_of(days)
    local z = days + 719468
    local era = math.floor(z / 146097)
    local doe = z - era * 146097
    local yoe = math.floor((doe - math.floor(doe / 1460) +
        math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
    local mp = math.floor((5 * doy + 2) / 153)
    local month = mp < 10 and mp + 3 or mp - 9
    local year = yoe + era * 400 + (month <= 2 and 1 or 0)
    local day = doy - math.floor((153 * mp + 2) / 5) + 1
    return string.format('%04d-%02d-%02d', year, month, day)
end

local id, epoch, model, repository = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local date = date_of(math.floor(now / 86400000))
local key = P .. 'spend:' .. date
local mine = 'job:' .. id .. ':' .. epoch .. ':' .. model
-- A lost answer is asked for again.
if call('HEXISTS', key, mine) == 1 then
    return {1, date}
end
local scopes = {
    {'repository', 'repository:' .. model .. ':' .. repository .. ':'},
    {'day', 'day:' .. model .. ':'},
}
for s, scope in ipairs(scopes) do
    for k, kind in ipairs(kinds) do
        local want = tonumber(ARGV[4 + k])
        local limit = tonumber(ARGV[4 + 3 * s + k])
        local used = tonumber(call('HGET', key, scope[2] .. kind) or '0')
        if limit > 0 and used + want > limit then
            return {0, scope[1], kind, text(used), text(limit), text(want)}
        end
    end
end
for _, scope in ipairs(scopes) do
    for k, kind in ipairs(kinds) do
        call('HINCRBY', key, scope[2] .. kind, ARGV[4 + k])
    end
end
call('HSET', key, mine, ARGV[5] .. ' ' .. ARGV[6] .. ' ' .. ARGV[7])
call('PEXPIRE', key, 172800000) -- settled by then, or it counts as spent
return {1, date}
