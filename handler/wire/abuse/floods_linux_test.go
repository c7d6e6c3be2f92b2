package abuse

import (
	"testing"

	"golang.org/x/net/http2"
)

// many is more frames than any client has a reason to send.
const many = 300_000

// frames returns an attack that floods a new connection with what send sends.
func frames(send func(c *peer, i int) error) func(*target) outcome {
	return func(at *target) outcome {
		c, err := at.connect()
		if err != nil {
			return outcome{err: err}
		}
		c.reading()
		return c.flood(many, func(i int) error { return send(c, i) })
	}
}

// TestControlFrames floods with frames that ask for an answer or for bookkeeping
// and carry no request.
func TestControlFrames(t *testing.T) {
	attackWith(t, []attack{
		{name: "PING", strike: frames(func(c *peer, i int) error { return c.WritePing(false, [8]byte{}) })},
		{name: "PING acknowledgements", strike: frames(func(c *peer, i int) error { return c.WritePing(true, [8]byte{}) })},
		{name: "SETTINGS", strike: frames(func(c *peer, i int) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i%2) * 1000})
		})},
		{name: "SETTINGS without content", strike: frames(func(c *peer, i int) error { return c.WriteSettings() })},
		{name: "PRIORITY", strike: frames(func(c *peer, i int) error {
			return c.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: uint32(2*i + 3), Weight: 7})
		})},
		{name: "WINDOW_UPDATE of the connection", strike: frames(func(c *peer, i int) error { return c.WriteWindowUpdate(0, 1) })},
		{name: "GOAWAY", strike: frames(func(c *peer, i int) error { return c.WriteGoAway(0, http2.ErrCodeNo, nil) })},
		{name: "unknown types", strike: frames(func(c *peer, i int) error { return c.WriteRawFrame(0xbe, 0, uint32(i), nil) })},
	})
}
