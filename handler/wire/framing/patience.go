package framing

import (
	"errors"
	"time"
)

// ErrFlood ends an HTTP/2 connection on which a client makes work that no request
// is the better for.
var ErrFlood = errors.New("more frames than its requests give a reason for")

// errGone ends one on which the server has said that it is over for an error: what
// the client sends is of no use any more, and net/http would go on reading it.
var errGone = errors.New("the connection is over for an error")

// patience is how much more a connection's client may ask of the proxy without
// getting on with a request. HTTP/2 has many ways to do that for a few bytes: to
// have a PING or SETTINGS answered, to have windows and priorities kept, to open
// streams and cancel them, or to send what makes the proxy cancel them, each as
// often as one likes. RFC 9113 §10.5 lets a server end a connection over it.
//
// One rule holds for all: each such frame costs patience, what is sent of answers
// gives some back, and so does time. So clients may do more the more they are
// served, and cancel as many requests as they let be answered.
//
// The zero value is spent, as of long ago: it has all that time gives.
type patience struct {
	left  int
	since time.Time // when time last gave some
}

const (
	patiencePerSecond = 2000
	patienceAtMost    = patiencePerSecond

	// A stream that is cancelled may have cost a backend a request. All 250 that a
	// connection may have open may be cancelled at once.
	costOfReset = 8
	costOfOther = 1

	// For each DATA frame of an answer, so that its client may cancel it after all,
	// acknowledge small ones for the stream and the connection, and measure by PING
	// how long they took; and for so many bytes of it, so that who reads in small
	// pieces may grant them as small. A header alone, which may be interim, gives
	// nothing unless it is all of the answer.
	gainOfAnswer = costOfReset
	gainingBytes = 256
)

// received takes note of a frame that the client sent.
func (p *patience) received(f frame) error {
	switch f.kind {
	case frameHeaders:
		return nil // a request, which others limit, or trailers
	case frameData:
		if f.data() > 0 || f.flags&flagEndStream != 0 {
			return nil // a part of a request
		}
		return p.spend(costOfOther)
	case frameResetStream:
		return p.spend(costOfReset)
	}
	return p.spend(costOfOther)
}

// sent takes note of a frame that the client is sent.
func (p *patience) sent(f frame) error {
	switch f.kind {
	case frameHeaders:
		if f.flags&flagEndStream != 0 {
			p.gain(gainOfAnswer)
		}
	case frameData:
		p.gain(gainOfAnswer + f.length/gainingBytes)
	case frameResetStream:
		if blamesClient(f.code()) {
			return p.spend(costOfReset)
		}
	case frameGoAway:
		if f.code() != noError {
			return errGone
		}
	}
	return nil
}

// Error codes of RFC 9113 §7.
const (
	noError       = 0x0
	internalError = 0x2
	cancel        = 0x8
)

// blamesClient reports whether a stream is reset with code for
// what the client sent: not because it has its answer already (NO_ERROR), the
// answer broke off (INTERNAL_ERROR) or will not come (CANCEL).
func blamesClient(code uint32) bool {
	return code != noError && code != internalError && code != cancel
}

func (p *patience) spend(cost int) error {
	if p.left -= cost; p.left >= 0 {
		return nil
	}
	// The clock is not looked at before.
	now, given := time.Now(), patienceAtMost
	if !p.since.IsZero() {
		given = int(min(now.Sub(p.since)/(time.Second/patiencePerSecond), patienceAtMost))
	}
	p.since = now
	p.gain(given)
	if p.left < 0 {
		return ErrFlood
	}
	return nil
}

func (p *patience) gain(n int) { p.left = min(p.left+n, patienceAtMost) }
