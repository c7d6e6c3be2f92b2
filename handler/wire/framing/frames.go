package framing

import "encoding/binary"

// Of HTTP/2's frames (RFC 9113 §6), those that need a name here.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameResetStream  = 0x3
	framePushPromise  = 0x5
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8

	frameHeaderLength = 9

	reserved = 1 << 31 // the bit before a stream's identifier, and before an increment
)

// frame is the beginning of an HTTP/2 frame.
type frame struct {
	length     int // of its content
	kind       byte
	flags      byte
	stream     uint32  // 0: that of the connection
	beginsWith [8]byte // its content, as far as it goes
}

// code is the error code of a frame of which the content begins with it, or with it
// behind a stream's identifier.
func (f frame) code() uint32 {
	if f.kind == frameGoAway {
		return binary.BigEndian.Uint32(f.beginsWith[4:])
	}
	return binary.BigEndian.Uint32(f.beginsWith[:])
}

// data returns how much of a DATA frame is neither padding nor the length of it.
func (f frame) data() int {
	if f.flags&flagPadded == 0 {
		return f.length
	}
	return max(f.length-1-int(f.beginsWith[0]), 0)
}

// frames reads along one direction of an HTTP/2 connection, behind its preface.
// It is not safe for concurrent use.
type frames struct {
	begun [frameHeaderLength + len(frame{}.beginsWith)]byte // of a frame, as much as has been read
	have  int
	left  int  // bytes to come of a frame that each has been told of
	field bool // it is one of a header
	open  bool // of a header, the last frame has not begun
}

// follow reads p and tells each of the frames that begin in it, each as soon as it
// is known how its content begins. It returns how much of p each was content with,
// up to the end of what was read of the frame that it was not.
func (f *frames) follow(p []byte, each func(frame) error) (int, error) {
	for at := 0; at < len(p); {
		n, err := f.next(p[at:], each)
		at += n
		if err != nil {
			return at, err
		}
	}
	return len(p), nil
}

// next reads the beginning of p, at least one byte and no more than to the end of a
// frame, and returns how much that is.
func (f *frames) next(p []byte, each func(frame) error) (n int, err error) {
	if f.left > 0 {
		n = min(f.left, len(p))
		f.left -= n
		return n, nil
	}
	n = copy(f.begun[f.have:f.wanted()], p)
	if f.have += n; f.have < f.wanted() {
		return n, nil // a header shows how much more is wanted, or p ends
	}
	next := f.frame()
	f.left = frameHeaderLength + next.length - f.have
	f.have = 0
	if f.field = ofHeader(next.kind); f.field {
		f.open = next.flags&flagEndHeaders == 0
	}
	return n, each(next)
}

// wanted is how much of a frame has to be read before it is told of.
func (f *frames) wanted() int {
	if f.have < frameHeaderLength {
		return frameHeaderLength
	}
	return frameHeaderLength + min(f.length(), len(frame{}.beginsWith))
}

func (f *frames) length() int {
	return int(f.begun[0])<<16 | int(f.begun[1])<<8 | int(f.begun[2])
}

func (f *frames) frame() frame {
	next := frame{length: f.length(), kind: f.begun[3], flags: f.begun[4]}
	next.stream = binary.BigEndian.Uint32(f.begun[5:]) &^ reserved
	copy(next.beginsWith[:], f.begun[frameHeaderLength:f.have])
	return next
}

// between reports whether the last frame is over and no other has begun.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// inHeader reports whether a request's header has begun and is not whole.
func (f *frames) inHeader() bool {
	return f.open || f.field && f.left > 0 || f.have >= frameHeaderLength && ofHeader(f.begun[3])
}

func ofHeader(kind byte) bool { return kind == frameHeaders || kind == frameContinuation }
