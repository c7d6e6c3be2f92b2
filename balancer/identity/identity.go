// Package identity answers: who is the proxy to a backend that lets in nobody whom it
// does not know?
//
// A [Source] has the token for one audience and fetches it, by a [Kind] of way, once for
// all requests that want it; a [Signer] puts it into what a backend is sent. Whatever
// becomes of that says nothing about the backend: nobody has asked it.
//
// What a service that hands out tokens says is theirs to read and nobody else's: no error
// here, and nothing that [Hooks] are told, has a byte of a token, of a secret, or of the
// text of an answer.
package identity

import "spangate/handler/config"

// Kind is a way to get a token.
type Kind string

// The kinds. The zero value leaves it to others.
const (
	None   Kind = "none"                      // backends are sent no token of the proxy's
	Google Kind = "google-id-token"           // an ID token of the service account that it runs as, of Google's metadata server
	OAuth2 Kind = "oauth2-client-credentials" // an access token of an authorization server's, RFC 6749 §4.4
)

// UnmarshalText parses the name of a kind.
func (k *Kind) UnmarshalText(text []byte) error { return config.OneOf(k, text, None, Google, OAuth2) }

// Fields of requests that tokens are sent in.
const (
	serverless    = "X-Serverless-Authorization" // what Cloud Run looks at before Authorization
	authorization = "Authorization"
)

// Field returns the name of the field that tokens of the kind are sent in, or "".
func (k Kind) Field() string {
	switch k {
	case Google:
		return serverless
	case OAuth2:
		return authorization
	}
	return ""
}
