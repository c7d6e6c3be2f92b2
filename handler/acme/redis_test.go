package acme

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"spangate/policy/redis/connect"
)

// stores are all kinds of stores, each with how it is opened once more.
func stores(t *testing.T) map[string]func() Store {
	server := miniredis.RunT(t)
	path := t.TempDir()
	return map[string]func() Store{
		"directory": func() Store {
			d, err := OpenDir(path)
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
		"Redis": func() Store { return redisAt(t, server.Addr()) },
	}
}

func redisAt(t *testing.T, address string) *Redis {
	t.Helper()
	url, none := connect.URL("redis://"+address), ""
	r, err := OpenRedis(connect.Endpoint{URL: &url, CAFile: &none, CertFile: &none, KeyFile: &none}, "test:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.client.Close() })
	return r
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			one, other := open(), open()
			if _, err := one.Get(ctx, "a/b.json"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			for _, text := range []string{"first", "", "second"} {
				if err := one.Put(ctx, "a/b.json", []byte(text)); err != nil {
					t.Fatal(err)
				}
				if got, err := other.Get(ctx, "a/b.json"); err != nil || string(got) != text {
					t.Errorf("%q, %v; want %q", got, err, text)
				}
			}
			for range 2 {
				if err := other.Delete(ctx, "a/b.json"); err != nil {
					t.Error(err)
				}
			}
			if _, err := one.Get(ctx, "a/b.json"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

// Of many that want a lock one has it at a time, and whoever waits can give up.
func TestLocks(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			var inside, runs atomic.Int64
			var all sync.WaitGroup
			for range 4 {
				store := open()
				all.Go(func() {
					err := store.Locked(t.Context(), "a", func(context.Context) error {
						if inside.Add(1) != 1 {
							t.Error("two are inside")
						}
						runs.Add(1)
						inside.Add(-1)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if runs.Load() != 4 {
				t.Errorf("%d ran", runs.Load())
			}
			store := open()
			err := store.Locked(t.Context(), "a", func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				if err := open().Locked(ctx, "a", func(context.Context) error { t.Error("it is inside"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				return open().Locked(t.Context(), "b", func(context.Context) error { return fs.ErrClosed })
			})
			if !errors.Is(err, fs.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// An instance that has lost its lock in Redis learns of it; a lock whose holder is
// gone is free after a while.
func TestLostLock(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	one, other := redisAt(t, server.Addr()), redisAt(t, server.Addr())
	one.lease = 300 * time.Millisecond
	err := one.Locked(t.Context(), "a", func(ctx context.Context) error {
		server.FlushAll()
		return other.Locked(t.Context(), "a", func(context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
	})
	if _, lost := errors.AsType[storeError](err); !lost {
		t.Error(err)
	}
	if err := server.Set("test:locks/b", "somebody who is gone"); err != nil {
		t.Fatal(err)
	}
	server.SetTTL("test:locks/b", time.Minute)
	server.FastForward(2 * time.Minute)
	if err := one.Locked(t.Context(), "b", func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A Redis that is away costs no orders, and no start.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	a := newAuthority(t)
	cfg := a.config("a.example")
	cfg.Dir, cfg.RedisURL, cfg.RedisPrefix = "", connect.URL("redis://"+server.Addr()), "p:"
	server.Close()
	c, orders, stop := run(t, cfg, by(a))
	if o := next(t, orders); o.ErrorType() != "store_error" || a.count("neworder") != 0 {
		t.Errorf("%v, %d orders", o.Err, a.count("neworder"))
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	o := next(t, orders)
	for o.Err != nil {
		o = next(t, orders)
	}
	stop()
	_ = c
	again, err := New(&cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(t, again, "a.example"); got != o.Certificate.Fingerprint || a.count("neworder") != 1 {
		t.Errorf("after a restart: %s, %d orders", got, a.count("neworder"))
	}
}
