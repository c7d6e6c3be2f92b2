package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// metadataHost is where Google's metadata server is, by its address, as that spares the
// lookup of a name that only it knows.
const metadataHost = "169.254.169.254"

// flavor is a field that the metadata server has in its answers, and wants to see in
// requests, so that it is not taken for another, nor asked by a request that is forged.
const flavor, google = "Metadata-Flavor", "Google"

// ofGoogle returns what fetches an ID token for an audience from the metadata server.
func ofGoogle(host, audience string) (*url.URL, Fetch) {
	u := &url.URL{
		Scheme: "http", Host: host, Path: "/computeMetadata/v1/instance/service-accounts/default/identity",
		RawQuery: "audience=" + url.QueryEscape(audience) + "&format=full",
	}
	client := newClient(nil) // no proxy is this host's metadata server
	return u, func(ctx context.Context) (Token, error) {
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{flavor: {google}}}
		resp, err := client.Do(r.WithContext(ctx))
		if err != nil {
			return Token{}, unanswered("the metadata server", err)
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusNotFound:
			return Token{}, refused(resp, errors.New("the metadata server answered 404: there is no service account here"))
		case resp.StatusCode != http.StatusOK:
			return Token{}, refused(resp, fmt.Errorf("the metadata server answered %d", resp.StatusCode))
		case resp.Header.Get(flavor) != google:
			return Token{}, nonsense(errors.New("who answered is not Google's metadata server: there is no Metadata-Flavor: Google"))
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
		switch {
		case err != nil:
			return Token{}, unanswered("the metadata server", err)
		case len(text) > longestAnswer:
			return Token{}, nonsense(fmt.Errorf("the metadata server answered with more than %d KiB", longestAnswer>>10))
		}
		token, err := parseIDToken(strings.TrimSpace(string(text)), audience)
		if err != nil {
			return Token{}, nonsense(fmt.Errorf("the metadata server %w", err))
		}
		return token, nil
	}
}

// parseIDToken reads until when a token is valid, and whether it is for the audience. Who
// has signed it is for the backend to see: it came from this host's own server.
func parseIDToken(text, audience string) (Token, error) {
	var claims struct {
		Expires  *float64  `json:"exp"`
		Audience audiences `json:"aud"`
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Token{}, errNoJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == nil {
		return Token{}, errNoJWT
	}
	if !slices.Contains(claims.Audience, audience) {
		return Token{}, errors.New("answered with a token for another audience")
	}
	const farthest = 1 << 40 // seconds, which time can still count
	return newToken(text, time.Until(time.Unix(int64(min(max(*claims.Expires, 0), farthest)), 0)))
}

var errNoJWT = errors.New("answered with what is no JWT that says when it expires")

// audiences are whom a token is for: a text, or several (RFC 7519 §4.1.3).
type audiences []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}
