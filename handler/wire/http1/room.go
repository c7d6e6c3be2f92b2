package http1

// Room returns room for what comes next, for who reads the source on the reader's
// behalf; [Reader.Came] takes note of how much of it was used, and is to be called
// next.
func (r *Reader) Room() []byte {
	r.room()
	return r.buf[r.w:]
}

// Came says that n bytes have come into what [Reader.Room] returned.
func (r *Reader) Came(n int) {
	r.w += n
	r.release()
}
