package websocket

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// Of RFC 6455 §5.2, what has to be understood of a frame to find the next.
const (
	final       = 0x80 // of the first byte
	opcodes     = 0x0f
	opcodeClose = 0x8
	masked      = 0x80 // of the second
	lengths     = 0x7f
	length16    = 126
	length64    = 127

	longestControl = 125
	longestHeader  = 2 + 8 + 4
)

const goingAway = 1001 // with which a server goes down (RFC 6455 §7.4.1)

// What stands for the status of a Close that has none. Neither is one that could be
// sent, as 1005 could, though it may not be (RFC 6455 §7.4.1).
const (
	NoStatus  = -1
	CutStatus = -2 // but a part of one
)

// closing returns a Close frame that says so, masked as those for a server are.
func closing(mask bool) []byte {
	frame := binary.BigEndian.AppendUint16([]byte{final | opcodeClose, 2}, goingAway)
	if !mask {
		return frame
	}
	var key [4]byte
	rand.Read(key[:])
	frame[1] |= masked
	return append(append(frame[:2:2], key[:]...), frame[2]^key[0], frame[3]^key[1])
}

// frames reads along one direction of a WebSocket. It is not safe for concurrent use.
type frames struct {
	masked bool // as what a client sends has to be

	header [longestHeader]byte // as much as has been read
	have   int
	status [2]byte // of a Close, as much as has been read
	stated int
	left   uint64 // bytes to come of a frame's content
	closed bool   // a Close has come whole: nothing counts behind it
	lost   bool   // where the next frame begins cannot be told
}

// next reads the beginning of p, at least one byte and no more than to the end of a
// frame, and returns how much that is.
func (f *frames) next(p []byte) int {
	switch {
	case f.closed || f.lost:
		return len(p)
	case f.left > 0:
		n := min(f.left, uint64(len(p)))
		if f.header[0]&opcodes == opcodeClose {
			f.readStatus(p[:n])
		}
		if f.left -= n; f.left == 0 {
			f.end()
		}
		return int(n)
	}
	n := copy(f.header[f.have:f.wanted()], p)
	if f.have += n; f.have < f.wanted() {
		return n // two bytes show how many more are wanted, or p ends
	}
	f.left = f.length()
	if f.lost = !f.wellFormed(); !f.lost && f.left == 0 {
		f.end()
	}
	return n
}

// wanted is how long the header is, as far as it is known.
func (f *frames) wanted() int {
	if f.have < 2 {
		return 2
	}
	n := 2
	switch f.header[1] & lengths {
	case length16:
		n += 2
	case length64:
		n += 8
	}
	if f.header[1]&masked != 0 {
		n += 4
	}
	return n
}

func (f *frames) length() uint64 {
	switch n := f.header[1] & lengths; n {
	case length16:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case length64:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// wellFormed reports whether the frame is one by which both ends find the next.
func (f *frames) wellFormed() bool {
	isControl := f.header[0]&opcodeClose != 0
	return f.left <= math.MaxInt64 && (f.header[1]&masked != 0) == f.masked &&
		!(isControl && (f.header[0]&final == 0 || f.left > longestControl))
}

// readStatus reads what of p, of the content of a Close, is of its status. No extension
// changes the content of control frames (RFC 7692 §5.1).
func (f *frames) readStatus(p []byte) {
	for _, b := range p[:min(len(p), len(f.status)-f.stated)] {
		if f.masked {
			b ^= f.header[f.have-4+f.stated] // the key ends the header
		}
		f.status[f.stated] = b
		f.stated++
	}
}

// closeStatus returns the status of a Close that has come whole, or [NoStatus], or
// [CutStatus].
func (f *frames) closeStatus() int {
	switch f.stated {
	case 0:
		return NoStatus
	case 1:
		return CutStatus
	}
	return int(binary.BigEndian.Uint16(f.status[:]))
}

func (f *frames) end() {
	f.closed = f.header[0]&opcodes == opcodeClose
	f.have = 0
}

// between reports whether a frame may be put here. Between the fragments of a message
// it may, if it is a control frame (RFC 6455 §5.4).
func (f *frames) between() bool { return f.have == 0 && !f.closed && !f.lost }
