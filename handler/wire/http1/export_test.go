package http1

import "net/http"

// ReadRequest reads a request's head into memory of its own.
func (r *Reader) ReadRequest(limit int) (*http.Request, Framing, error) {
	head, out, err := r.ReadRequestHead(limit)
	if err != nil {
		return out, Framing{}, err
	}
	return new(Request).Parse(head)
}
