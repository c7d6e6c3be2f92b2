package redis

import (
	"context"
	"crypto/sha1"

	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/redis/go-redis/v9"

	"spangate/policy"
	"spangate/policy/redis/connect"
)

//go:embed gcra.lua
var script string

// scriptName is what Redis calls the script by.
var scriptName = func() string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}()

// ask has all of batch decided in one round trip, and answers it. It fails when
// none could be decided. It calls late when requests wait no longer; they have
// got an answer then.
func (s *Store) ask(c connect.Client, batch []*question, late func()) error {
	if len(batch) == 0 {
		return nil
	}
	instances := s.instances.Load()
	calls := make([]call, len(batch))
	for i, q := range batch {
		calls[i] = s.call(q.id)
	}
	isLate := false
	failed := s.within(context.Background(), s.connect, func(ctx context.Context) error {
		send(ctx, c, calls)
		return nil
	}, func() {
		isLate = true
		late()
		for _, q := range batch {
			q.answer(s.standIn(q.id), errSlow)
		}
	})
	decided := false
	var first error
	for i := range calls {
		// After an answer that was late, what Redis counted the instance has
		// counted too, or not let in.
		d, err := policy.Decision{}, failed
		if err == nil {
			d, err = s.result(calls[i], isLate && s.cfg.OnError != allow, instances)
		}
		if err == nil {
			decided = true
		} else {
			first = err
			s.ledger.takeBack(calls[i].id, calls[i].debts, instances)
			d = s.standIn(calls[i].id)
		}
		if !isLate {
			batch[i].answer(d, err)
		}
	}
	if decided {
		return nil
	}
	return first
}

// try has a decision made that nobody waits for.
func (s *Store) try(ctx context.Context, c connect.Client) error {
	calls := []call{{key: s.counts + "try:" + s.name, debts: make([]int64, len(s.measures))}}
	calls[0].args = s.callArgs(calls[0].debts, calls[0].debts)
	send(ctx, c, calls)
	_, err := s.reply(calls[0].reply)
	return err
}

// call is a run of the script.
type call struct {
	id    [16]byte
	debts []int64 // that it hands over
	key   string
	args  []any
	reply *redis.Cmd
}

func (s *Store) call(id [16]byte) call {
	floors, debts := s.ledger.handOver(id)
	return call{
		id: id, debts: debts,
		key:  s.counts + base64.RawURLEncoding.EncodeToString(id[:]),
		args: s.callArgs(floors, debts),
	}
}

func (s *Store) callArgs(floors, debts []int64) []any {
	args := make([]any, 0, 7*len(s.measures))
	for i := range s.measures {
		// Whole microseconds: what is dropped of a debt is less than that.
		args = append(append(args, s.args[i]...), floors[i]/1000, debts[i]/1000)
	}
	return args
}

// send makes all calls at once. A script that the store does not have, as it was
// just started, is sent with them.
func send(ctx context.Context, c connect.Client, calls []call) {
	pipe := c.Pipeline()
	for i := range calls {
		calls[i].reply = pipe.EvalSha(ctx, scriptName, []string{calls[i].key}, calls[i].args...)
	}
	pipe.Exec(ctx) // its errors are the commands'
	pipe = c.Pipeline()
	for i := range calls {
		if redis.HasErrorPrefix(calls[i].reply.Err(), "NOSCRIPT") {
			calls[i].reply = pipe.Eval(ctx, script, []string{calls[i].key}, calls[i].args...)
		}
	}
	if pipe.Len() > 0 {
		pipe.Exec(ctx)
	}
}

// reply returns what the script returned.
func (s *Store) reply(cmd *redis.Cmd) ([]int64, error) {
	reply, err := cmd.Int64Slice()
	if err == nil && len(reply) != 2+2*len(s.measures) {
		err = fmt.Errorf("the store answered %v", reply)
	}
	return reply, err
}

// result returns what the store decided, and notes where the count is now; a
// request that it let in in vain is to the credit of the key.
func (s *Store) result(c call, inVain bool, instances int64) (policy.Decision, error) {
	reply, err := s.reply(c.reply)
	if err != nil {
		return policy.Decision{}, err
	}
	allowed, now := reply[0] == 1, reply[1]
	standings := make([]standing, len(s.measures))
	arrivals := make([]int64, len(s.measures))
	for i := range s.measures {
		us, rest := reply[2+2*i], reply[3+2*i]
		standings[i] = s.measures[i].standing(uint64(us), uint64(rest))
		arrivals[i] = (now + us) * 1000
	}
	s.ledger.learn(c.id, arrivals, inVain && allowed, instances)
	return decision(s.measures, standings, allowed, policy.StoreRedis), nil
}
