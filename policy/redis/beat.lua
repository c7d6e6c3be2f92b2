-- Says that an instance is alive, and returns how many are, and the time.
--
-- KEYS[1]  the instances, by the time at which each said so last
-- ARGV     this one's name; after how many microseconds of silence one is gone
local time = redis.call('TIME')
local now, silence = time[1] * 1000000 + time[2], tonumber(ARGV[2])
local function instant(n) return string.format('%.0f', n) end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', instant(now - silence))
redis.call('ZREMRANGEBYSCORE', KEYS[1], instant(now + silence), '+inf') -- of another clock
redis.call('ZADD', KEYS[1], instant(now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], instant(math.ceil(silence / 1000)))
return { redis.call('ZCARD', KEYS[1]), now }
