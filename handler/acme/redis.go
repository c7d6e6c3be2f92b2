package acme

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/redis/go-redis/v9"

	"spangate/handler/clock"
	"spangate/policy/redis/connect"
)

// Redis is a [Store] in Redis, for instances that share no directory.
type Redis struct {
	client connect.Client
	prefix string // begins each key
	lease  time.Duration
}

// redisTimeout bounds each answer of Redis. Nobody but an authority that asks for a
// challenge waits for it.
const redisTimeout = time.Second

// lease is how long the lock of an instance holds after it was last seen.
const lease = 30 * time.Second

// OpenRedis returns the store at an endpoint, which connects when it is used. Its
// error is the endpoint's.
func OpenRedis(at connect.Endpoint, prefix string) (*Redis, error) {
	dial, err := at.Dialer(redisTimeout)
	if err != nil {
		return nil, err
	}
	return &Redis{dial(), prefix, lease}, nil
}

// do sends a command, and once more when that fails: the connection may have been
// closed while nothing was to be said.
func (r *Redis) do(ctx context.Context, command func(redis.Pipeliner)) (err error) {
	for range 2 {
		pipe := r.client.Pipeline()
		command(pipe)
		if _, err = pipe.Exec(ctx); err == nil || errors.Is(err, redis.Nil) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// Get implements [Store].
func (r *Redis) Get(ctx context.Context, key string) ([]byte, error) {
	var reply *redis.StringCmd
	err := r.do(ctx, func(pipe redis.Pipeliner) { reply = pipe.Get(ctx, r.prefix+key) })
	if errors.Is(err, redis.Nil) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return reply.Bytes()
}

// Put implements [Store].
func (r *Redis) Put(ctx context.Context, key string, value []byte) error {
	return r.do(ctx, func(pipe redis.Pipeliner) { pipe.Set(ctx, r.prefix+key, value, 0) })
}

// Delete implements [Store].
func (r *Redis) Delete(ctx context.Context, key string) error {
	return r.do(ctx, func(pipe redis.Pipeliner) { pipe.Del(ctx, r.prefix+key) })
}

// What only the holder of a lock may do: keep it, and give it back.
const (
	keepScript   = `if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) end return 0`
	unlockScript = `if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0`
)

// Locked holds a key that ends by itself once the instance is not there any more. f
// must end when its context does: the lock may be another's then.
func (r *Redis) Locked(ctx context.Context, key string, f func(context.Context) error) error {
	key = r.prefix + "locks/" + key
	mine := rand.Text()
	for {
		var got *redis.BoolCmd
		if err := r.do(ctx, func(pipe redis.Pipeliner) { got = pipe.SetNX(ctx, key, mine, r.lease) }); err != nil {
			return storeError{err}
		}
		if got.Val() {
			break
		}
		if err := clock.Sleep(ctx, time.Second/2); err != nil {
			return err
		}
	}
	held, lose := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		r.keep(held, lose, key, mine)
	}()
	defer func() {
		lose(nil)
		<-kept
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
		defer cancel()
		r.do(ctx, func(pipe redis.Pipeliner) { pipe.Eval(ctx, unlockScript, []string{key}, mine) }) // else it ends by itself
	}()
	return f(held)
}

// keep keeps a lock until held is done, and ends held when that is not possible.
func (r *Redis) keep(held context.Context, lose context.CancelCauseFunc, key, mine string) {
	until := time.Now().Add(r.lease)
	for clock.Sleep(held, r.lease/6) == nil {
		var kept *redis.Cmd
		asked := time.Now()
		err := r.do(held, func(pipe redis.Pipeliner) {
			kept = pipe.Eval(held, keepScript, []string{key}, mine, r.lease.Milliseconds())
		})
		switch n, _ := kept.Int64(); {
		case err == nil && n == 1:
			until = asked.Add(r.lease)
		case err == nil || asked.After(until.Add(-r.lease/3)):
			lose(storeError{fmt.Errorf("the lock %s was lost", key)})
			return
		}
	}
}
