package identity

import "time"

// Names for tests from outside of what has none there.
var (
	NewToken     = newToken
	ParseIDToken = parseIDToken
)

const (
	FetchTimeout = fetchTimeout
	LongestToken = longest
)

func (t Token) Value() string      { return t.value }
func (t Token) Expires() time.Time { return t.expires }
