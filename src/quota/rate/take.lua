-- Takes one from each bucket, or none from any: KEYS are the buckets; ARGV are, for each of them, the microseconds that one
-- takes and those that a full bucket holds. Answers with the place of the first that refuses and the longest wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function keep(key, full_at)
    redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.max(1, math.ceil((full_at - now) / 1000)))
end
local taken, refused, wait = {}, 0, 0
for place, key in ipairs(KEYS) do
    local interval, holds = tonumber(ARGV[place * 2 - 1]), tonumber(ARGV[place * 2])
    local full_at = math.max(tonumber(redis.call('GET', key) or now), now)
    if full_at > now + holds then
        full_at = now + holds
        keep(key, full_at)
    end
    taken[place] = full_at + interval
    local late = taken[place] - now - holds
    if late > 0 then
        if refused == 0 then refused = place end
        wait = math.max(wait, late)
    end
end
if refused == 0 then
    for place, key in ipairs(KEYS) do keep(key, taken[place]) end
end
return {refused, wait}
