package http1

// Filler is a source that waits without memory to read into. Its Fill is called when
// the reader has nothing in it. It waits for something to come, reads it into
// [Reader.Room], and returns as [Reader.Fill] does.
type Filler interface{ Fill(*Reader) error }

// Room returns room for what comes next, for who reads the source on the reader's
// behalf. [Reader.Came] is to be called next, and takes note of how much of it was
// used: where that is nothing, and nothing else is there, the memory is given back.
func (r *Reader) Room() []byte {
	r.room()
	return r.buf[r.w:]
}

// Came says that n bytes have come into what [Reader.Room] returned.
func (r *Reader) Came(n int) {
	r.w += n
	r.release()
}
