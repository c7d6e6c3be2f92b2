package wire

import (
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The phases of a request, whatever is known of them, add up to the time that it took,
// and none is less than nothing.
func TestPhasesAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		any := rand.New(rand.NewPCG(1, 2))
		pass := func() { time.Sleep(time.Duration(any.IntN(3)) * time.Second) }
		for range 2000 {
			var m *making
			c := &Course{}
			run := func(steps ...func()) {
				for _, step := range steps {
					if pass(); any.IntN(3) > 0 {
						step()
					}
				}
			}
			// A connection may be in the making before it is asked for, and after.
			run(func() { m = &making{}; m.enter(Connect) })
			c.Start = time.Now()
			if m != nil {
				run(func() { m.enter(DNS) }, func() { m.enter(Connect) }, func() { m.enter(TLS) }, func() { m.enter(Connect) }, m.end)
			}
			d := delivery{waited: any.IntN(2) > 0, making: m}
			if d.waited {
				pass()
			}
			c.hears(d)
			if any.IntN(4) > 0 {
				c.Peer = &net.TCPAddr{}
			}
			run(c.isSent)
			answered, over := time.Duration(0), time.Since(c.Start)
			if c.Peer != nil && any.IntN(3) > 0 {
				answered = over
				pass()
				over = time.Since(c.Start)
			}
			run(c.isSent) // late
			p, sum := c.Phases(answered, over), time.Duration(0)
			for phase, d := range p {
				if d < 0 {
					t.Fatalf("phase %d took %v: %v of %+v", phase, d, p, c)
				}
				sum += d
			}
			if sum != over {
				t.Fatalf("%v is %v, of %v: %+v", p, sum, over, c)
			}
		}
	})
}

// What of the making of a connection counts is what lies within the wait for it.
func TestMaking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
		m := &making{}
		for _, phase := range []Phase{Connect, DNS, Connect, TLS, Connect} {
			m.enter(phase)
			time.Sleep(time.Second)
		}
		goesOn := [2][2]int{{0, 5}, {3, 5}}
		for i, want := range []Phases{{DNS: time.Second, Connect: 3 * time.Second, TLS: time.Second}, {Connect: time.Second, TLS: time.Second}} {
			var got Phases
			if m.add(&got, at(goesOn[i][0]), at(goesOn[i][1])); got != want {
				t.Errorf("within %v while it goes on: %v, want %v", goesOn[i], got, want)
			}
		}
		m.end()
		time.Sleep(time.Minute)
		type within struct{ From, To int }
		got, want := map[within]Phases{}, map[within]Phases{
			{-5, 60}: {DNS: time.Second, Connect: 3 * time.Second, TLS: time.Second},
			{1, 4}:   {DNS: time.Second, Connect: time.Second, TLS: time.Second},
			{2, 3}:   {Connect: time.Second},
			{3, 3}:   {},
			{5, 60}:  {},
			{40, 60}: {},
			{-5, 0}:  {},
		}
		for w := range want {
			var p Phases
			m.add(&p, at(w.From), at(w.To))
			got[w] = p
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Nobody looks at the clock for a request that nobody asks about.
func TestNoCourse(t *testing.T) {
	var c *Course
	c.hears(delivery{waited: true, making: &making{}})
	c.isSent()
	c.sentAtOnce()
}
