package console

// maxShown bounds the spans that are known to have been written.
const maxShown = 1024

// recent are the spans that were written last.
type recent struct {
	known map[spanID]struct{}
	ring  []spanID
	next  int
}

func (r *recent) has(id spanID) bool {
	_, ok := r.known[id]
	return ok
}

func (r *recent) add(id spanID) {
	if len(r.ring) < maxShown {
		r.ring = append(r.ring, id)
	} else {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % maxShown
	}
	if r.known == nil {
		r.known = map[spanID]struct{}{}
	}
	r.known[id] = struct{}{}
}
