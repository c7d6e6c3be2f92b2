package identity

import (
	"context"
	"maps"
	"net/http"

	"spangate/handler/fault"
)

// Signer gives what is sent to a backend the token that the backend asks for. It is safe
// for concurrent use.
type Signer struct {
	source *Source
	field  string
}

// Alike reports whether other, which may be nil, fails when s does: both have the same
// source.
func (s *Signer) Alike(other *Signer) bool { return other != nil && s.source == other.source }

// Failure returns why there is no token, as the last fetch has it; nil where there is one,
// or none was asked for yet. A nil Signer lacks none.
func (s *Signer) Failure() error {
	if s == nil {
		return nil
	}
	if st := s.source.state.Load(); st.err != nil && !st.valid(s.source.set.now()) {
		return st.err
	}
	return nil
}

// Sign returns r with the token in its header, in place of whatever a client may have
// sent in that field, and that token. r and its header stay as they are: they may go to
// another backend, which the token is not for. Errors are those of [Source.Token].
func (s *Signer) Sign(r *http.Request) (*http.Request, Token, error) {
	signed, token, _, err := s.sign(r)
	return signed, token, err
}

func (s *Signer) sign(r *http.Request) (signed *http.Request, token Token, waited bool, err error) {
	token, waited, err = s.source.Token(r.Context())
	if err != nil {
		return nil, Token{}, waited, err
	}
	with := *r
	with.Header = make(http.Header, len(r.Header)+1)
	maps.Copy(with.Header, r.Header)
	with.Header[s.field] = token.lines()
	return &with, token, waited, nil
}

// Answered is told of the status of the answer to a request that had the token.
func (s *Signer) Answered(token Token, status int) {
	if status == http.StatusUnauthorized {
		s.source.Doubt(token)
	}
}

// Over returns next as what sends requests with the token: those of probes, whose
// deadlines leave a backend little time once a token was waited for. That it did not use
// the rest to answer says nothing about it. Over a nil Signer it is next itself.
func (s *Signer) Over(next http.RoundTripper) http.RoundTripper {
	if s == nil {
		return next
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		signed, token, waited, err := s.sign(r)
		if err != nil {
			return nil, err
		}
		resp, err := next.RoundTrip(signed)
		if err != nil {
			if waited && r.Context().Err() == context.DeadlineExceeded {
				err = without(fault.Timeout, err)
			}
			return nil, err
		}
		s.Answered(token, resp.StatusCode)
		return resp, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
