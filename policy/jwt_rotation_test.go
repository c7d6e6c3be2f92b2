package policy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/policy"
	"spangate/policy/jwks"
)

// An issuer may replace a key and leave it its id: a signature that fails asks
// for the keys again.
func TestIssuerReplacesAKey(t *testing.T) {
	i := newIssuer(t, p256Signer)
	next := signer{i.signer.id, "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	for name, head := range map[string]header{"by its id": nil, "by none": {"kid": ""}} {
		t.Run(name, func(t *testing.T) {
			i.publish(i.signer.jwk())
			synctest.Test(t, func(t *testing.T) {
				old, replaced := "Authorization: Bearer "+i.signer.token(head, nil), "Authorization: Bearer "+next.token(head, nil)
				tokens := policy.NewTokens(i.config(), i)
				run(t, tokens)
				d := newDoor(authConfig(policy.AuthConfig{}), tokens)
				d.want(t, by("jwt", "alice"), old)
				i.publish(next.jwk())
				d.want(t, refused("token_signature"), replaced) // the keys have just been fetched
				time.Sleep(jwks.Cooldown)
				d.want(t, by("jwt", "alice"), old) // nobody has asked yet
				d.want(t, by("jwt", "alice"), replaced)
				d.want(t, refused("token_signature"), old) // though it is remembered
			})
		})
	}
}

// Whoever makes up signatures causes one fetch per cooldown, and waits no longer
// than for that.
func TestWrongSignaturesCauseOneFetch(t *testing.T) {
	i := newIssuer(t, p256Signer)
	forger := signer{i.signer.id, "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		h := refusing(t, tokens, "token_signature")
		synctest.Wait()
		before := i.fetched()
		for range 3 {
			time.Sleep(jwks.Cooldown)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
					r.Header.Set("Authorization", "Bearer "+forger.token(nil, nil))
					h.ServeHTTP(httptest.NewRecorder(), identified(r))
				})
			}
			all.Wait()
		}
		if n := i.fetched() - before; n != 3 {
			t.Errorf("three times 50 wrong signatures caused %d fetches, want 3", n)
		}
		d := newDoor(authConfig(policy.AuthConfig{}), tokens)
		i.setDown(true)
		time.Sleep(jwks.Cooldown)
		d.want(t, refused("token_signature"), "Authorization: Bearer "+forger.token(nil, nil))
		d.want(t, by("jwt", "alice"), "Authorization: Bearer "+i.token(nil, nil))
	})
}
