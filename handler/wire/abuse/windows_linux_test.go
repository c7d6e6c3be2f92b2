package abuse

import (
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// concurrent is how many streams the proxy lets a connection have.
const concurrent = 250

// stall is for how long an attack holds what it has opened.
func stall() time.Duration { _, each := spells(); return 2 * each }

// opening returns an attack that opens all the streams it may with a request for
// path, and then lets go on do what it does for a while; unless the connection stays,
// its end is waited for.
func opening(stays bool, path string, whole bool, goOn func(c *peer, i int) error, settings ...http2.Setting) func(*target) outcome {
	return func(at *target) outcome {
		c, err := at.connect(settings...)
		if err != nil {
			return outcome{err: err}
		}
		defer c.conn.Close()
		c.reading()
		for i := range concurrent {
			if err := c.request(uint32(2*i+1), path, whole); err != nil {
				return outcome{err: err}
			}
		}
		c.out.Flush()
		sent := 0
		for until := time.Now().Add(stall()); time.Now().Before(until); sent++ {
			err := goOn(c, sent)
			if err == nil && sent%128 == 127 {
				err = c.out.Flush()
				time.Sleep(time.Millisecond)
			}
			if err != nil {
				return c.end(sent, err)
			}
			select {
			case <-c.ended:
				return c.end(sent, nil)
			default:
			}
		}
		if stays {
			return outcome{sent: sent}
		}
		return c.end(sent, c.out.Flush())
	}
}

// each returns the stream whose turn it is.
func each(i int) uint32 { return uint32(2*(i%concurrent) + 1) }

func pause(*peer, int) error { time.Sleep(10 * time.Millisecond); return nil }

// TestWindows has all streams of a connection open, and keeps them from getting on.
func TestWindows(t *testing.T) {
	window := func(size uint32) http2.Setting {
		return http2.Setting{ID: http2.SettingInitialWindowSize, Val: size}
	}
	piece := make([]byte, 16<<10)
	attackWith(t, []attack{
		{name: "answers that no window takes", stays: true, forwards: concurrent, strike: opening(true, "/large", true, pause, window(0))},
		{name: "answers taken to the end of the connection's window", stays: true, forwards: concurrent, strike: opening(true, "/large", true, pause)},
		{name: "windows of a byte at a time", stays: true, forwards: concurrent, cpu: time.Second, strike: opening(true, "/large", true, func(c *peer, i int) error {
			return c.WriteWindowUpdate(each(i), 1)
		}, window(1))},
		{name: "windows that shrink and grow", forwards: concurrent, strike: opening(false, "/large", true, func(c *peer, i int) error {
			return c.WriteSettings(window(uint32(i%2) << 16))
		}, window(0))},
		{name: "windows below zero", stays: true, forwards: concurrent, strike: opening(true, "/large", true, func(c *peer, i int) error {
			if i > 0 {
				return pause(c, i)
			}
			return c.WriteSettings(window(0))
		}, window(60_000))},
		{name: "a connection's window that overflows", forwards: concurrent, strike: opening(false, "/large", true, func(c *peer, i int) error {
			return c.WriteWindowUpdate(0, 1<<31-1)
		}, window(0))},
		{name: "bodies that do not come", stays: true, forwards: concurrent, strike: opening(true, "/", false, pause)},
		{name: "bodies a byte at a time", stays: true, forwards: concurrent, cpu: 5 * time.Second, strike: opening(true, "/", false, func(c *peer, i int) error {
			return c.WriteData(each(i), false, []byte("x"))
		})},
		{name: "bodies that are not read", stays: true, forwards: concurrent, strike: opening(true, "/unread", false, func(c *peer, i int) error {
			if i >= 128 { // the whole of the connection's window
				return pause(c, i)
			}
			return c.WriteData(uint32(2*(i/16)+1), false, piece)
		})},
		{name: "empty DATA", forwards: concurrent, strike: opening(false, "/", false, func(c *peer, i int) error { return c.WriteData(each(i), false, nil) })},
		{name: "DATA of padding alone", forwards: concurrent, strike: opening(false, "/", false, func(c *peer, i int) error {
			return c.WriteDataPadded(each(i), false, nil, make([]byte, 100))
		})},
		{name: "WINDOW_UPDATE of streams", forwards: concurrent, strike: opening(false, "/wait", true, func(c *peer, i int) error {
			return c.WriteWindowUpdate(each(i), 1)
		})},
	})
}

// TestUnread floods and does not read what comes of it.
func TestUnread(t *testing.T) {
	attackWith(t, []attack{
		{name: "PING", strike: func(at *target) outcome {
			c, err := at.connect()
			if err != nil {
				return outcome{err: err}
			}
			sent := 0
			for err == nil && sent < many {
				err = c.WritePing(false, [8]byte{})
				sent++
			}
			return c.reading().end(sent, err)
		}},
		{name: "answers", stays: true, forwards: concurrent, strike: func(at *target) outcome {
			c, err := at.connect(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
			if err != nil {
				return outcome{err: err}
			}
			defer c.conn.Close()
			c.WriteWindowUpdate(0, 1<<30)
			for i := range concurrent {
				c.request(uint32(2*i+1), "/large", true)
			}
			c.out.Flush()
			time.Sleep(stall())
			return outcome{sent: concurrent}
		}},
	})
}
