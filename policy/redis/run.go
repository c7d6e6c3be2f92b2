package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"spangate/handler/clock"
	"spangate/policy/redis/connect"
)

// retryEvery is how often the store is tried while it is away. All instances do
// so at the same times by the clock: then they come back together, and none has
// the limit for itself before the others have told what they let in.
const retryEvery = 250 * time.Millisecond

var (
	errClosed = errors.New("the instance is shutting down")
	errSlow   = fmt.Errorf("the store takes longer than requests wait for it: %w", os.ErrDeadlineExceeded)
)

// Run reaches the store, asks it for decisions, and tells it that this instance
// is alive, until ctx is done; it returns the cause of that. When the store
// fails, Run tries until it is back. It is called once.
func (s *Store) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		c := s.dial()
		var lasted time.Duration
		err := s.join(ctx, c)
		s.report(ctx, err)
		if err == nil {
			began := time.Now()
			err = s.serve(ctx, c)
			lasted = time.Since(began)
			s.lose(err)
		}
		c.Close()
		s.refuse(err)
		if lasted < retryEvery { // else at once: it may have been this connection only
			pause(ctx)
		}
	}
	s.refuse(errClosed)
	s.settle()
	return context.Cause(ctx)
}

// settle waits for calls of clients that are closed, but no longer than one may
// take: whatever the store does, the instance can stop.
func (s *Store) settle() {
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		s.calls.Wait()
	}()
	clock.Await(context.Background(), settled, s.connect)
}

// pause waits until the store is to be tried again.
func pause(ctx context.Context) {
	clock.Sleep(ctx, time.Until(time.Now().Truncate(retryEvery).Add(retryEvery)))
}

// join makes c ready for decisions. It has time for that; but a decision must
// then come as fast as it must for a request.
func (s *Store) join(ctx context.Context, c connect.Client) error {
	err := s.within(ctx, s.connect, c.Reach, nil)
	if err == nil {
		err = s.beat(ctx, c, false, nil)
	}
	if err == nil {
		err = s.within(ctx, s.patience(), func(ctx context.Context) error { return s.try(ctx, c) }, nil)
	}
	return err
}

// slow is how many answers in a row may come later than requests wait for them
// before the store counts as away.
const slow = 3

// serve asks c for what is to be decided, and returns why it cannot go on.
// Questions come in only while it runs, and while the store answers in time: an
// answer that is late is waited for, so as to know what was counted, but not by
// requests.
func (s *Store) serve(ctx context.Context, c connect.Client) (err error) {
	joined := time.Now()
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	for late := 0; err == nil; {
		s.queue.allow()
		inTime := true
		tooLate := func() {
			inTime = false
			s.refuse(errSlow)
		}
		select {
		case <-ctx.Done():
			s.leave(c)
			return errClosed
		case <-beats.C:
			// Others may not have come back yet.
			err = s.beat(ctx, c, time.Since(joined) > silence, tooLate)
		case <-s.queue.came:
			err = s.ask(c, s.queue.take(), tooLate)
		}
		if late++; inTime {
			late = 0
		}
		if err == nil && late == slow {
			err = errSlow
		}
	}
	return err
}

// patience is how long a round trip may take: requests wait for the one before
// theirs, and then for their own.
func (s *Store) patience() time.Duration { return s.cfg.Timeout / 2 }

// refuse lets no question come, and answers those that wait.
func (s *Store) refuse(why error) {
	for _, q := range s.queue.refuse(why) {
		q.answer(s.standIn(q.id), why)
	}
}

// lose notes that the store has failed. Whether it is gone remains to be seen.
func (s *Store) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.lost = time.Now(), err
}

// report notes whether the store could be reached, and tells of a change.
func (s *Store) report(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	state := reachable
	if err != nil {
		state = away
	}
	s.mu.Lock()
	changed := s.state != state
	s.state, s.lost = state, err
	s.mu.Unlock()
	if changed && s.changed != nil {
		s.changed(err != nil, err)
	}
}

// within calls f and waits for it, but at most for d, even when f does not heed
// its context: the client of a cluster learns its layout in its own time. In the
// meantime, when requests wait no longer, it calls late, if not nil. What f
// wrote may be read when there is no error; else f may still be at it.
func (s *Store) within(ctx context.Context, d time.Duration, f func(context.Context) error, late func()) error {
	noAnswer := fmt.Errorf("no answer within %v: %w", d, os.ErrDeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, d, noAnswer)
	done := make(chan error, 1)
	s.calls.Go(func() {
		err := f(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = noAnswer
		}
		done <- err
		cancel()
	})
	if late != nil {
		patience := time.NewTimer(s.patience())
		defer patience.Stop()
		select {
		case err := <-done:
			return err
		case <-patience.C:
			late()
		}
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	default:
		return context.Cause(ctx)
	}
}
