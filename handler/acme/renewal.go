package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// shortLived is the lifetime below which half of it is left for renewing, as a third
// would be too little to find out what is wrong.
const shortLived = 10 * 24 * time.Hour

func lifetime(leaf *x509.Certificate) time.Duration { return leaf.NotAfter.Sub(leaf.NotBefore) }

// ownTime returns when to renew a certificate of which the authority says nothing:
// when a third of its lifetime is left, or half of a short one, and up to a
// twentieth of it earlier, by chance, so that not all come at once.
func ownTime(leaf *x509.Certificate) time.Time {
	life := lifetime(leaf)
	left := life / 3
	if life < shortLived {
		left = life / 2
	}
	return leaf.NotAfter.Add(-left - rand.N(life/20+1))
}

// suggestedTime returns a time within the authority's window (RFC 9773, section
// 4.2), which may be past. It is not so early that a window that is always past
// makes us order again and again, nor so late that the certificate expires first.
func suggestedTime(leaf *x509.Certificate, start, end time.Time) time.Time {
	at := start
	if width := end.Sub(start); width > 0 {
		at = start.Add(rand.N(width))
	}
	life := lifetime(leaf)
	earliest := leaf.NotBefore.Add(min(life/24, 3*time.Hour))
	latest := leaf.NotAfter.Add(-life / 10)
	switch {
	case at.Before(earliest):
		return earliest
	case at.After(latest):
		return latest
	}
	return at
}

// spacing returns the least time between the order that brought a certificate and
// the next one, as what makes it due at once would do so with the next one too.
func spacing(leaf *x509.Certificate) time.Duration {
	return max(min(time.Until(leaf.NotAfter)/3, time.Hour), time.Second)
}

// adviceTimeout bounds how long an authority may take to say when to renew.
const adviceTimeout = 30 * time.Second

// ask asks the authority when to renew e's certificate, if it is time to, and
// heeds the answer. What it cannot say changes nothing.
func (c *Client) ask(ctx context.Context, e *entry) {
	pair := e.current.Load()
	if pair == nil || time.Now().Before(e.askAt) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adviceTimeout)
	defer cancel()
	api, talk := c.converse()
	info, err := api.GetRenewalInfo(ctx, pair.Leaf)
	again := 6 * time.Hour
	switch {
	case errors.Is(err, acme.ErrUnsupported):
		again = 24 * time.Hour
	case err != nil:
		again = min(time.Hour, lifetime(pair.Leaf)/20)
	default:
		if info.RetryAfter != nil {
			again = time.Until(*info.RetryAfter)
		}
		if !info.SameWindow(e.window) {
			e.window = info
			e.renew = suggestedTime(pair.Leaf, info.SuggestedWindow.Start, info.SuggestedWindow.End)
		}
	}
	e.askAt = time.Now().Add(min(max(again, time.Minute), 24*time.Hour))
	if told := talk.told(); told.After(e.askAt) {
		e.askAt = told
	}
}

// failures is what is remembered of orders that failed, since the last that did
// not.
type failures struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	Next  time.Time `json:"next"` // not before
	Told  bool      `json:"told"` // Next is the authority's word
	Error string    `json:"error"`
}

// longestWait is the longest between two orders of one name.
const longestWait = 3 * time.Hour

// patience returns the longest wait while there is that certificate, which may be
// nil: one that is made for hours cannot wait for as long as others.
func patience(leaf *x509.Certificate) time.Duration {
	if leaf == nil {
		return longestWait
	}
	return min(lifetime(leaf)/20, longestWait)
}

// add counts a failure. base is the wait after the first, longest that after many;
// told is when the authority said to come again, if it did.
func (f *failures) add(err error, base, longest time.Duration, told time.Time) {
	f.Count++
	f.Last, f.Error, f.Told = time.Now(), err.Error(), false
	wait := max(base, longest)
	if doublings := f.Count - 1; doublings < 20 {
		wait = min(wait, base<<doublings)
	}
	f.Next = f.Last.Add(wait + rand.N(wait/5+1))
	if told.After(f.Next) {
		f.Next, f.Told = told.Add(rand.N(min(told.Sub(f.Last)/5+1, time.Minute))), true
	}
}

// anew returns f as it counts for a process that has just started: somebody may
// have mended what was wrong, so it tries soon, but not at once, as one that starts
// again and again would. What the authority said stands.
func (f failures) anew(base time.Duration) failures {
	if soon := f.Last.Add(base); !f.Told && f.Next.After(soon) {
		f.Next = soon
	}
	return f
}
