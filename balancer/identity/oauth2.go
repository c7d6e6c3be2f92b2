package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// ofServer returns what fetches an access token from an authorization server. Until that
// has taken the client's secret by the Authorization field, which every one must (RFC 6749
// §2.3.1), a fetch that it refuses tries again with the secret in the form, as some want it.
func ofServer(k key) (*url.URL, Fetch) {
	u, err := url.Parse(k.tokenURL)
	if err != nil {
		u = &url.URL{} // which was refused before
	}
	by := func(style oauth2.AuthStyle) *clientcredentials.Config {
		cfg := &clientcredentials.Config{ClientID: k.clientID, ClientSecret: k.clientSecret, TokenURL: k.tokenURL, Scopes: strings.Fields(k.scope), AuthStyle: style}
		if k.purpose.Audience != "" {
			cfg.EndpointParams = url.Values{"audience": {k.purpose.Audience}}
		}
		return cfg
	}
	byField, inForm := by(oauth2.AuthStyleInHeader), by(oauth2.AuthStyleInParams)
	var taken atomic.Pointer[clientcredentials.Config]
	client := newClient(http.ProxyFromEnvironment)
	return u, func(ctx context.Context) (Token, error) {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
		way := cmp.Or(taken.Load(), byField)
		got, err := way.Token(ctx)
		if err != nil && taken.Load() == nil && refusesClient(err) {
			if other, otherErr := inForm.Token(ctx); otherErr == nil {
				way, got, err = inForm, other, nil
			}
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return Token{}, unanswered(authorizationServer, context.Cause(ctx)) // of which the library keeps but the text
		case err != nil:
			return Token{}, failure(err)
		}
		taken.Store(way)
		if kind := got.Type(); kind != "Bearer" && kind != "BearerToken" { // as Apigee calls it
			return Token{}, nonsense(errors.New("the authorization server answered with a token that is no bearer token"))
		}
		life := unsaid
		if !got.Expiry.IsZero() {
			life = time.Until(got.Expiry)
		} else if got.Extra("expires_in") != nil {
			life = 0 // which the library does not tell from a life that is not said
		}
		token, err := newToken(got.AccessToken, life)
		if err != nil {
			return Token{}, nonsense(fmt.Errorf("the authorization server %w", err))
		}
		return token, nil
	}
}

// refusesClient reports whether the library's error is an answer that may mean the client,
// as servers that do not look for it in the Authorization field have many: all of 4xx, but
// for those that say to come later.
func refusesClient(err error) bool {
	answered, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return false
	}
	status := answered.Response.StatusCode
	return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

const authorizationServer = "the authorization server"

// failure returns what the library's error says, without the answer's text, which may
// hold anything.
func failure(err error) *FetchError {
	if answered, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := answered.Response.StatusCode
		text := fmt.Sprintf("the authorization server answered %d", status)
		if word := word(answered.ErrorCode); word != "" {
			text += " " + word
		}
		if status == http.StatusOK {
			return nonsense(errors.New(text))
		}
		return refused(answered.Response, errors.New(text))
	}
	if called, ok := errors.AsType[*url.Error](err); ok {
		return unanswered(authorizationServer, called)
	}
	return nonsense(errors.New("the authorization server answered with what is no token of RFC 6749 §5.1"))
}

// words are those that an authorization server has for a failure (RFC 6749 §5.2).
var words = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "invalid_target": true, "access_denied": true,
	"server_error": true, "temporarily_unavailable": true,
}

// word returns text if it is one of those.
func word(text string) string {
	if words[text] {
		return text
	}
	return ""
}
