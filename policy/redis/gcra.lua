-- Decides whether one more request of a key may come in, and counts it if so:
-- the generic cell rate algorithm over all limits at once, on the server's clock.
--
-- KEYS[1]  what is kept of the key: two numbers for each limit, its arrival time
-- ARGV     for each limit seven whole numbers:
--            every, rest      the interval between requests, and
--            parts            how many parts a microsecond has in rest
--            reach, reachRest how far ahead the arrival time may be
--            floor            an arrival time that was the key's once, or 0
--            debt             microseconds' worth of requests counted elsewhere,
--                             or, if negative, counted here and not let in
--
-- Returns whether it may, the time, and how far ahead each arrival time is now.
--
-- Instants are whole microseconds, intervals whole microseconds and a rest, such
-- as a third. So nothing is ever rounded: doubles are exact up to 2^53.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local kept = {}
for number in string.gmatch(redis.call('GET', KEYS[1]) or '', '%d+') do
  kept[#kept + 1] = tonumber(number)
end

local allowed, changed = 1, false
local before, after = {}, {}
for i = 1, #ARGV / 7 do
  local a, us, rest = 7 * i - 6, 2 * i - 1, 2 * i
  local every, everyRest, parts = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local reach, reachRest = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local floor, debt = tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6])

  local at, atRest = kept[us] or 0, kept[rest] or 0
  -- A server that lost the key is told what it was. What lies further ahead than
  -- any count of this clock can is of another's.
  if floor > at and floor - now <= 2 * reach then
    at, atRest, changed = floor, 0, true
  end
  if at < now then
    at, atRest = now, 0
  end
  if debt ~= 0 then
    at, changed = at + debt, true
    if at < now then
      at, atRest = now, 0
    end
  end
  if at - now > 2 * reach + every then
    at, atRest, changed = now + 2 * reach, 0, true
  end
  before[us], before[rest] = at, atRest

  at, atRest = at + every, atRest + everyRest
  if atRest >= parts then
    at, atRest = at + 1, atRest - parts
  end
  after[us], after[rest] = at, atRest
  if at - now > reach or at - now == reach and atRest > reachRest then
    allowed = 0
  end
end

local result = before
if allowed == 1 then
  result, changed = after, true
end
local reply, text, last = { allowed, now }, {}, now
for i = 1, #result, 2 do
  text[i], text[i + 1] = string.format('%.0f', result[i]), string.format('%.0f', result[i + 1])
  reply[i + 2], reply[i + 3] = result[i] - now, result[i + 1]
  last = math.max(last, result[i])
end
if changed then
  redis.call('SET', KEYS[1], table.concat(text, ' '), 'PX', string.format('%.0f', math.ceil((last - now) / 1000) + 1))
end
return reply
