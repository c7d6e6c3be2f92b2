package framing

import (
	"errors"
	"time"
)

// ErrFlood ends an HTTP/2 connection on which a client makes work that no request
// is the better for.
var ErrFlood = errors.New("more frames than its requests give a reason for")

// patience is how much more a connection's client may ask of the proxy without
// getting on with a request. HTTP/2 has many ways to do that for a few bytes: to
// have a PING or SETTINGS answered, to have windows and priorities kept, to open
// streams and cancel them, or to send what makes the proxy cancel them, each as
// often as one likes. RFC 9113 §10.5 lets a server end a connection over it.
//
// One rule holds for all: each such frame costs patience, each frame of an answer
// gives some back, and so does time. So clients may do more the more they are
// served; of those that cancel requests, as many as they let be answered.
//
// The zero value is spent, as of long ago: it has all that time gives.
type patience struct {
	left  int
	since time.Time // when time last gave some
}

const (
	patienceAtMost    = 4000
	patiencePerSecond = 1000

	// A stream that is cancelled may have cost a backend a request. All streams of a
	// connection may be cancelled at once, four times over.
	costOfReset = 4
	costOfOther = 1

	// For a frame of an answer, so that small messages may each be acknowledged for
	// the stream and the connection, and a PING measure how long they took; and for
	// so many bytes of it, so that who reads in small pieces may grant them as small.
	gainOfAnswer = 4
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
		p.gain(gainOfAnswer)
	case frameData:
		p.gain(gainOfAnswer + f.length/gainingBytes)
	case frameResetStream:
		if blamesClient(f.number()) {
			return p.spend(costOfReset)
		}
	}
	return nil
}

// blamesClient reports whether a stream is reset with code, of RFC 9113 §7, for
// what the client sent: not because it has its answer already (NO_ERROR), the
// answer broke off (INTERNAL_ERROR) or will not come (CANCEL).
func blamesClient(code uint32) bool {
	const noError, internalError, cancel = 0x0, 0x2, 0x8
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
