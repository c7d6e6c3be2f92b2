package abuse

import (
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streams returns an attack that opens a stream for a request that the backend
// does not answer, again and again, and then has send spoil it.
func streams(whole bool, send func(c *peer, stream uint32) error) func(*target) outcome {
	return frames(func(c *peer, i int) error {
		stream := uint32(2*i + 1)
		if err := c.request(stream, "/wait", whole); err != nil {
			return err
		}
		return send(c, stream)
	})
}

// A stream that is cancelled may have cost the backend a request. So many are, at
// most, before the connection ends: what its client's patience pays for, and one
// set of concurrent streams.
const cancelled = 1000 + 250

// TestResets opens streams that the client cancels, or that the proxy must, as in
// CVE-2023-44487 (Rapid Reset) and CVE-2025-8671 (MadeYouReset), whose six forms
// are those of RFC 9113 §5.1, §5.3.1, §6.3 and §6.9.
func TestResets(t *testing.T) {
	attackWith(t, []attack{
		{name: "rapid reset", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteRSTStream(stream, http2.ErrCodeCancel)
		})},
		{name: "rapid reset of uploads", forwards: cancelled, strike: streams(false, func(c *peer, stream uint32) error {
			c.WriteData(stream, false, []byte("x"))
			return c.WriteRSTStream(stream, http2.ErrCodeCancel)
		})},
		{name: "reset of an idle stream", strike: frames(func(c *peer, i int) error {
			return c.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		})},
		{name: "made you reset: WINDOW_UPDATE of zero", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteRawFrame(http2.FrameWindowUpdate, 0, stream, make([]byte, 4))
		})},
		{name: "made you reset: WINDOW_UPDATE that overflows", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteWindowUpdate(stream, 1<<31-1)
		})},
		{name: "made you reset: PRIORITY of a wrong length", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteRawFrame(http2.FramePriority, 0, stream, make([]byte, 4))
		})},
		{name: "made you reset: PRIORITY on itself", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WritePriority(stream, http2.PriorityParam{StreamDep: stream})
		})},
		{name: "made you reset: HEADERS behind the end", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.request(stream, "/wait", true)
		})},
		{name: "made you reset: DATA behind the end", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteData(stream, false, []byte("x"))
		})},
		// What else net/http resets a stream for.
		{name: "made you reset: more DATA than declared", forwards: cancelled, strike: frames(func(c *peer, i int) error {
			stream := uint32(2*i + 1)
			c.request(stream, "/wait", false, hpack.HeaderField{Name: "content-length", Value: "1"})
			return c.WriteData(stream, false, []byte("xx"))
		})},
		{name: "made you reset: trailers that do not end", forwards: cancelled, strike: streams(false, func(c *peer, stream uint32) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields(hpack.HeaderField{Name: "a", Value: "b"}), EndHeaders: true})
		})},
		{name: "made you reset: DATA beyond the window", forwards: cancelled, strike: streams(false, func(c *peer, stream uint32) error {
			piece := make([]byte, 16<<10)
			for range 17 {
				c.WriteData(stream, false, piece)
			}
			return nil
		})},
		{name: "malformed requests", strike: frames(func(c *peer, i int) error {
			return c.request(uint32(2*i+1), "/wait", true, hpack.HeaderField{Name: "Upper", Value: "case"})
		})},
		{name: "requests that depend on themselves", strike: frames(func(c *peer, i int) error {
			stream := uint32(2*i + 1)
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields(), EndStream: true, EndHeaders: true, Priority: http2.PriorityParam{StreamDep: stream, Weight: 1}})
		})},
		{name: "streams beyond the limit", forwards: 250, strike: streams(true, func(*peer, uint32) error { return nil })},
	})
}
