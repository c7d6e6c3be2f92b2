package policy

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"spangate/policy/jwks"
)

const (
	// maxToken bounds what is parsed before anything is known about it.
	maxToken = 8 << 10
	// maxKeyID is far more than a key's id is long.
	maxKeyID = 512
	// maxVerified tokens are remembered, in some 100 bytes each.
	maxVerified = 4096
)

// tokenVerifier verifies JSON Web Tokens (RFC 7519) as RFC 8725 recommends: which
// algorithms a signature may have is up to the key, and a key is always one of
// the configured set, whatever else a token offers. It is safe for concurrent use.
type tokenVerifier struct {
	keys     *jwks.Source
	parser   *jwt.Parser
	issuers  AuthNames
	leeway   time.Duration
	verified *recent[verifiedToken] // by digest
}

// verifiedToken is what a token said that was right by a key of set. It is kept
// until the token expires, and of use as long as set is.
type verifiedToken struct {
	subject string
	set     *jwks.Set
}

// keys says where the keys of the tokens are, which come over rt, or, where that is nil,
// over connections of their own.
func (c *TokenConfig) keys(rt http.RoundTripper) jwks.Config {
	return jwks.Config{URL: c.JWKSURL, Refresh: c.Refresh, Stale: c.Stale, Transport: rt}
}

// newTokenVerifier returns what verifies the tokens that cfg lets in, by keys. It knows
// none until these run.
func newTokenVerifier(cfg TokenConfig, keys *jwks.Source) *tokenVerifier {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(jwks.Algorithms()), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(cfg.Leeway),
	}
	if !slices.Equal(cfg.Audience, AuthNames{"*"}) {
		options = append(options, jwt.WithAudience(cfg.Audience...))
	}
	return &tokenVerifier{
		keys:     keys,
		parser:   jwt.NewParser(options...),
		issuers:  cfg.Issuers,
		leeway:   cfg.Leeway,
		verified: newRecent[verifiedToken](maxVerified),
	}
}

// verify returns the subject of a token.
func (t *tokenVerifier) verify(ctx context.Context, token string) (Principal, authReason) {
	if len(token) > maxToken {
		return Principal{}, reasonTooLarge
	}
	digest := sha256.Sum256([]byte(token))
	if v, ok := t.verified.get(digest); ok && v.set == t.keys.Current() {
		return Principal{Name: v.subject, Method: methodJWT}, ""
	}
	claims, set, reason := t.parse(ctx, token)
	if reason == reasonSignature && t.keys.Outdated(ctx, set) {
		claims, set, reason = t.parse(ctx, token)
	}
	if reason != "" {
		return Principal{}, reason
	}
	t.verified.put(digest, verifiedToken{claims.Subject, set}, claims.ExpiresAt.Add(t.leeway))
	return Principal{Name: claims.Subject, Method: methodJWT}, ""
}

// parse returns what a token says, and of which set the key is that signed it, or
// did not.
func (t *tokenVerifier) parse(ctx context.Context, text string) (claims *tokenClaims, set *jwks.Set, reason authReason) {
	claims = &tokenClaims{}
	token, err := t.parser.ParseWithClaims(text, claims, func(token *jwt.Token) (public any, err error) {
		id, err := keyID(token.Header)
		if err == nil {
			public, set, err = t.keys.Key(ctx, id, token.Method.Alg())
		}
		return public, err
	})
	switch {
	case token != nil && token.Method != nil && !slices.Contains(jwks.Algorithms(), token.Method.Alg()):
		return nil, nil, reasonAlgorithm
	case err != nil:
		return nil, set, reasonOf(err)
	case !slices.Contains(t.issuers, claims.Issuer):
		return nil, nil, reasonIssuer
	}
	return claims, set, ""
}

var errHeader = errors.New("the token's header is not understood")

// keyID returns the id of the key that a token's header names. The keys that a
// header may bring along (jwk, x5c) or point to (jku, x5u) are never looked at.
// What has to be understood is not (RFC 7515 §4.1.11), and neither is a type that
// stands for something other than letting its bearer in (RFC 8725 §3.11): the
// same issuer may sign notices of logout.
func keyID(header map[string]any) (string, error) {
	id, isText := header["kid"].(string)
	if _, there := header["kid"]; there && !isText || len(id) > maxKeyID {
		return "", errHeader
	}
	if _, critical := header["crit"]; critical {
		return "", errHeader
	}
	kind, isText := header["typ"].(string)
	if _, there := header["typ"]; there && !isText {
		return "", errHeader
	}
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "at+jwt":
		return id, nil
	}
	return "", errHeader
}

// reasonOf returns the reason for an error of verifying.
func reasonOf(err error) authReason {
	for _, known := range []struct {
		err    error
		reason authReason
	}{
		{jwks.ErrUnavailable, reasonUnavailable},
		{jwks.ErrUnknownKey, reasonTokenKey},
		{jwks.ErrAlgorithm, reasonAlgorithm},
		{errHeader, reasonToken},
		{jwt.ErrTokenUnverifiable, reasonAlgorithm}, // it names none, or one that nobody knows
		{jwt.ErrTokenSignatureInvalid, reasonSignature},
		{jwt.ErrTokenExpired, reasonExpired},
		{jwt.ErrTokenNotValidYet, reasonNotYet},
		{jwt.ErrTokenUsedBeforeIssued, reasonNotYet},
		{jwt.ErrTokenInvalidAudience, reasonAudience},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return reasonToken
}
