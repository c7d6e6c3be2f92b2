package redis

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"spangate/policy/redis/connect"
)

// beatEvery is how often an instance says that it is alive, and silence how long
// after the last time it counts as gone.
const (
	beatEvery = time.Second
	silence   = 5 * time.Second
)

//go:embed beat.lua
var beatScript string

// instancesKey is of those that share counts: with other limits nothing is.
func (s *Store) instancesKey() string { return s.counts + "instances" }

// beat says that this instance is alive. What it hears of the others it believes
// when they are more, and when they are fewer only if that is settled: a store
// that just came back has not heard of all.
func (s *Store) beat(ctx context.Context, c connect.Client, settled bool, late func()) error {
	var reply []int64 // not to be read unless the call returned
	sent := time.Now()
	err := s.within(ctx, s.connect, func(ctx context.Context) (err error) {
		pipe := c.Pipeline()
		cmd := pipe.Eval(ctx, beatScript, []string{s.instancesKey()}, s.name, silence.Microseconds())
		pipe.Exec(ctx) // its error is the command's
		reply, err = cmd.Int64Slice()
		return err
	}, late)
	if err == nil && len(reply) != 2 {
		err = fmt.Errorf("the store answered %v", reply)
	}
	if err != nil {
		return err
	}
	s.ledger.set(reply[1]*1000, sent, time.Now())
	if n := max(reply[0], 1); settled || n > s.instances.Load() {
		s.instances.Store(n)
	}
	return nil
}

// leave says that this instance is gone.
func (s *Store) leave(c connect.Client) {
	s.within(context.Background(), s.cfg.Timeout, func(ctx context.Context) error {
		pipe := c.Pipeline()
		pipe.ZRem(ctx, s.instancesKey(), s.name)
		_, err := pipe.Exec(ctx)
		return err
	}, nil)
}
