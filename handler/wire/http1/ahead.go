package http1

import "bytes"

// Skip drops what has come of the content and not been read, and reports whether that
// was the rest of it. It waits for nothing.
func (b *Body) Skip() (whole bool) {
	for b.err == nil && b.skipPiece() {
	}
	return b.part == ended
}

// Ahead reports whether all of the content has come, read or not, and how many bytes
// have that are behind it. It changes nothing.
func (b *Body) Ahead() (whole bool, behind int) {
	if b.part == ended {
		return true, b.in.Buffered()
	}
	if b.in.Buffered() == 0 {
		return false, 0
	}
	in := Reader{buf: b.in.buf, r: b.in.r, w: b.in.w} // which reads from nowhere
	ahead := *b
	ahead.in, ahead.trailer = &in, nil
	whole = ahead.Skip()
	return whole, in.Buffered()
}

// skipPiece drops the next piece, and reports whether there was one.
func (b *Body) skipPiece() bool {
	switch b.part {
	case ended, untilClose:
		return false
	case sized, chunkData:
		n := min(int64(b.in.Buffered()), b.left)
		if n == 0 {
			return false
		}
		b.in.Discard(int(n))
		if b.left -= n; b.left > 0 {
			return true
		}
		if b.part == sized {
			b.end()
		} else {
			b.part = chunkEnd
		}
		return true
	}
	if bytes.IndexByte(b.in.Peek(), '\n') < 0 {
		return false // its end may still be on its way
	}
	b.step(nil)
	return true
}
