"""Scripts on runs. Each is atomic, takes its time from the server and compares the owner and its epoch: after a loss of
power that took a take-over with it, two owners may have been given the same epoch, of which the store keeps one.

Times in the index and the expiries are microseconds since 1970 of the server's clock.
"""

from __future__ import annotations

from catenary.runtime.store.script import Script

_NOW = """
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
"""

# The ids of an owner's unfinished runs, and the owners that have any.
_OWNED = """
local function own(owner, id)
  redis.call('SADD', 'catenary:{runs}:owned:' .. owner, id)
  redis.call('SADD', 'catenary:{runs}:owners', owner)
end
local function disown(owner, id)
  redis.call('SREM', 'catenary:{runs}:owned:' .. owner, id)
  if redis.call('EXISTS', 'catenary:{runs}:owned:' .. owner) == 0 then
    redis.call('SREM', 'catenary:{runs}:owners', owner)
  end
end
"""

# KEYS: run, index, expiries, events.
# ARGV: run_id, owner, epoch, spec_digest, header, max_runs, ttl_s, key prefix, request, event...
CREATE = Script(
    _NOW
    + _OWNED
    + """
local have = redis.call('HMGET', KEYS[1], 'spec_digest', 'owner', 'epoch')
if have[1] then return {0, have[1], have[2], have[3]} end
local now = now_us()
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, 64)) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  redis.call('UNLINK', ARGV[8] .. id, ARGV[8] .. id .. ':events')
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then return {-1} end
local newest = redis.call('ZRANGE', KEYS[2], 0, 0, 'REV', 'WITHSCORES')
local score = now
if newest[2] and tonumber(newest[2]) >= now then score = tonumber(newest[2]) + 1 end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'epoch', ARGV[3], 'spec_digest', ARGV[4], 'header', ARGV[5],
  'request', ARGV[9], 'created_us', string.format('%.0f', now))
redis.call('EXPIRE', KEYS[1], ARGV[7])
for i = 10, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end
if #ARGV > 9 then redis.call('EXPIRE', KEYS[4], ARGV[7]) end
own(ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], string.format('%.0f', score), ARGV[1])
redis.call('ZADD', KEYS[3], string.format('%.0f', now + tonumber(ARGV[7]) * 1000000), ARGV[1])
return {1, ARGV[4], ARGV[2], ARGV[3]}
"""
)

# KEYS: run, events, expiries.
# ARGV: run_id, epoch, ttl_ms ('' unless final), has header, header, events already stored (-1: unknown),
#       owner ('': any of this epoch), event...
APPEND = Script(
    _NOW
    + _OWNED
    + """
local have = redis.call('HMGET', KEYS[1], 'epoch', 'owner')
local epoch = have[1]
if ARGV[6] ~= '-1' and (not epoch or tonumber(epoch) < tonumber(ARGV[2])) then
  return redis.error_reply('BEHIND epoch ' .. (epoch or 'none') .. ' is stored, the writer has ' .. ARGV[2])
end
if epoch ~= ARGV[2] or (ARGV[7] ~= '' and have[2] ~= ARGV[7]) then return 0 end
local skip = 0
if ARGV[6] ~= '-1' then
  local stored = redis.call('LLEN', KEYS[2])
  if stored < tonumber(ARGV[6]) then
    return redis.error_reply('BEHIND ' .. stored .. ' events are stored, the next one follows ' .. ARGV[6])
  end
  skip = stored - tonumber(ARGV[6])
end
local first = redis.call('EXISTS', KEYS[2]) == 0
for i = 8 + skip, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'header', ARGV[5]) end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'final', '1')
  redis.call('HDEL', KEYS[1], 'request')
  disown(have[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  redis.call('ZADD', KEYS[3], string.format('%.0f', now_us() + tonumber(ARGV[3]) * 1000), ARGV[1])
elseif first then
  local left = redis.call('PTTL', KEYS[1])
  if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
end
return 1
"""
)

# KEYS: run, index, expiries, events.
# ARGV: run_id, owner, epoch, spec_digest, header, age_us, ttl_s, request, event...
RESTORE = Script(
    _NOW
    + _OWNED
    + """
local have = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'final')
if have[3] or (have[1] and tonumber(have[1]) > tonumber(ARGV[3])) then return 0 end
if have[1] == ARGV[3] and have[2] ~= ARGV[2] then return 0 end
if have[2] then disown(have[2], ARGV[1]) end
local now = now_us()
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'epoch', ARGV[3], 'spec_digest', ARGV[4], 'header', ARGV[5],
  'request', ARGV[8])
redis.call('HSETNX', KEYS[1], 'created_us', string.format('%.0f', now - tonumber(ARGV[6])))
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('DEL', KEYS[4])
for i = 9, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end
redis.call('EXPIRE', KEYS[4], ARGV[7])
own(ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now), ARGV[1])
redis.call('ZADD', KEYS[3], string.format('%.0f', now + tonumber(ARGV[7]) * 1000000), ARGV[1])
return 1
"""
)

# KEYS: run. ARGV: owner, epoch before, epoch after, run_id.
TAKE_OVER = Script(
    _OWNED
    + """
local have = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'final')
if have[1] ~= ARGV[2] or have[3] then return 0 end
disown(have[2], ARGV[4])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', ARGV[3])
own(ARGV[1], ARGV[4])
return 1
"""
)

# KEYS: none. ARGV: owner, key prefix, most. Runs that have expired leave the owner.
OWNED = Script(
    _OWNED
    + """
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', 'catenary:{runs}:owned:' .. ARGV[1])) do
  if #found >= tonumber(ARGV[3]) then break end
  if redis.call('EXISTS', ARGV[2] .. id) == 1 then
    table.insert(found, id)
  else
    disown(ARGV[1], id)
  end
end
return found
"""
)
