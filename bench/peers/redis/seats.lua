#!lua name=seats

-- A lease is a hash {pool, user, issued_at, expires_at} at lease:<id>, and has
-- its seat where seats are told apart; times are milliseconds. Functions return 1, or 0 where there was nothing to do.

-- Scheme counter: a pool is a hash {seats, in_use}.

-- keys: pool, lease; args: user, issued_at, expires_at
redis.register_function('counter_checkout', function(keys, args)
  local pool = redis.call('HMGET', keys[1], 'seats', 'in_use')
  if tonumber(pool[2]) >= tonumber(pool[1]) then return 0 end
  redis.call('HINCRBY', keys[1], 'in_use', 1)
  redis.call('HSET', keys[2], 'pool', keys[1], 'user', args[1], 'issued_at', args[2], 'expires_at', args[3])
  return 1
end)

-- keys: pool, lease
redis.register_function('counter_return', function(keys)
  if redis.call('DEL', keys[2]) == 0 then return 0 end
  redis.call('HINCRBY', keys[1], 'in_use', -1)
  return 1
end)

-- Scheme set-per-pool: a pool is the set of its free seats.

-- keys: pool, lease; args: user, issued_at, expires_at
redis.register_function('set_checkout', function(keys, args)
  local seat = redis.call('SPOP', keys[1])
  if not seat then return 0 end
  redis.call('HSET', keys[2], 'pool', keys[1], 'seat', seat, 'user', args[1], 'issued_at', args[2], 'expires_at', args[3])
  return 1
end)

-- keys: pool, lease
redis.register_function('set_return', function(keys)
  local seat = redis.call('HGET', keys[2], 'seat')
  if not seat then return 0 end
  redis.call('DEL', keys[2])
  redis.call('SADD', keys[1], seat)
  return 1
end)
