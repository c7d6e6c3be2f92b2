package field

// Room is memory for the values of fields that have one line each, so that not each
// is a piece of its own. The zero value is ready. It must not be copied once it is
// used.
type Room struct {
	lines [3]string
	used  int
}

// Value returns value as that of a field.
func (r *Room) Value(value string) []string {
	if r.used == len(r.lines) {
		return []string{value}
	}
	at := r.used
	r.lines[at] = value
	r.used++
	return r.lines[at:r.used:r.used]
}
