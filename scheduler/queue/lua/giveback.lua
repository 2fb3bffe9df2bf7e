-- giveback.lua - what a scheduler of this name holds goes back to the inbox.
-- ARGV scheduler max_bytes
-- -> how many documents went back
-- What is longer was too long to be read: it would come again for ever.
local held = P .. 'inbox:' .. ARGV[1]
local count = 0

for n = 1, 64 do
    -- To the end that is taken first: it waited longest.
    local document = call('LPOP', held)
    if not document then
        break
    end
    if #document > tonumber(ARGV[2]) then
        refuse('long-' .. stamp .. '-' .. n, document,
               'the document has ' .. #document .. ' bytes', ARGV[1])
    else
        call('RPUSH', P .. 'inbox', document)
        count = count + 1
    end
end
return count
