package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

// generator opens a job's connections when it is made.
type generator interface {
	// run asks for so long, with so many requests that are due in a second or, if
	// that is 0, over each connection as often as it is answered. It returns once
	// all answers have come.
	run(length time.Duration, rate float64) (tally, error)
}

// generateLoad is the process that does the job in args. It reads a line of stdin
// when it is ready, which it says with one of stdout; writes the tally; and goes on
// holding its connections until stdin ends. So whoever measures reads what
// the proxy has used before, after, and while nothing moves.
func generateLoad(args []string, stdin io.Reader, stdout io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return err
	}
	load, err := newGenerator(j)
	if err != nil {
		return err
	}
	if j.Each == 0 {
		if _, err := load.run(j.Warmup, 0); err != nil {
			return err
		}
	}
	out := json.NewEncoder(stdout)
	if err := out.Encode("ready"); err != nil {
		return err
	}
	if n, err := stdin.Read(make([]byte, 1)); n == 0 {
		return err
	}
	var t tally
	if c, ok := load.(*client); ok && j.Each > 0 {
		t, err = c.each(j.Each)
	} else {
		t, err = load.run(j.Length, j.Rate)
	}
	if err == nil {
		err = out.Encode(t.sum())
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

// newGenerator shares the job's connections among as many threads as may be had.
func newGenerator(j job) (generator, error) {
	if j.Each > 0 {
		return newClient(j, j.Connections)
	}
	if j.Protocol == http1 || j.Protocol == websocket {
		threads := min(polls(), j.Connections)
		return gather(threads, func(i int) (generator, error) { return newClient(j, (j.Connections+i)/threads) })
	}
	if j.Rate > 0 {
		return nil, errors.New("no rate over " + string(j.Protocol))
	}
	return gather(j.Connections, func(int) (generator, error) {
		s, err := newSession(j)
		return asking{s}, err
	})
}

// together are generators that run at a time.
type together []generator

func gather(number int, one func(i int) (generator, error)) (all together, err error) {
	for i := range number {
		g, err := one(i)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

func (all together) run(length time.Duration, rate float64) (sum tally, err error) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, g := range all {
		wg.Go(func() {
			t, failed := g.run(length, rate/float64(len(all)))
			mu.Lock()
			defer mu.Unlock()
			sum, err = sum.and(t), cmp.Or(err, failed)
		})
	}
	wg.Wait()
	return sum, err
}
