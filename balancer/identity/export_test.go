package identity

import (
	"strings"
	"time"
)

// Names for tests from outside of what has none there.
var (
	NewToken     = newToken
	ParseIDToken = parseIDToken
	Refused      = refused
)

const (
	FetchTimeout = fetchTimeout
	LongestToken = longest
)

func (t Token) Life() time.Duration { return t.life }

func (t Token) Value() string {
	if t.lines == nil {
		return ""
	}
	return strings.TrimPrefix(t.lines()[0], "Bearer ")
}

// SetWorld has the clock of the world differ from the machine's other one by what ahead
// returns.
func (s *Sources) SetWorld(ahead func() time.Duration) {
	s.clock = func() moment {
		now := present()
		return moment{now.world.Add(ahead()), now.ran}
	}
}

// SetAsleep has the machine's other clock stand still for as long as asleep returns.
func (s *Sources) SetAsleep(asleep func() time.Duration) {
	s.clock = func() moment {
		now := present()
		return moment{now.world, now.ran.Add(-asleep())}
	}
}
