package main

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIdentityAtFault holds what a start says of tokens for backends that are not right.
func TestIdentityAtFault(t *testing.T) {
	t.Parallel()
	google := func(backends string, more ...string) []string {
		return append([]string{"BACKEND_AUTH=google-id-token", "BACKENDS=" + backends}, more...)
	}
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"in the clear":            {google("http://app.example"), []string{`BACKENDS: backend "http://app.example": a token (google-id-token) must not go over the network in the clear: use https; http is for hosts of this machine or a private network`}},
		"to whoever answers":      {google("https://app.example;tls-verify=off"), []string{`BACKENDS: backend "https://app.example": a token (google-id-token) must not go to whoever answers: leave out tls-verify=off`}},
		"to a socket":             {google("http+unix:///run/app.sock"), []string{`BACKENDS: backend "http+unix:///run/app.sock": auth=google-id-token needs audience=: whom the token is for does not follow from a socket`}},
		"to an echo":              {google("echo:a"), []string{`BACKENDS: backend "echo:a": answers with what it is sent, and must not be sent a token (google-id-token): auth=none spares it`}},
		"an audience for nothing": {[]string{"BACKENDS=https://a.example;audience=b"}, []string{`BACKENDS: backend "https://a.example": audience is of no use without auth, or BACKEND_AUTH`}},
		"nothing to ask by":       {[]string{"BACKENDS=https://a.example", "BACKEND_AUTH=oauth2-client-credentials"}, []string{"BACKEND_AUTH_TOKEN_URL: required by oauth2-client-credentials in BACKEND_AUTH", "BACKEND_AUTH_CLIENT_ID: required by oauth2-client-credentials in BACKEND_AUTH", "BACKEND_AUTH_CLIENT_SECRET: required by oauth2-client-credentials in BACKEND_AUTH"}},
		"nothing to ask one by":   {[]string{"BACKENDS=https://a.example;auth=oauth2-client-credentials,https://b.example", "BACKEND_AUTH_CLIENT_ID=me", "BACKEND_AUTH_CLIENT_SECRET="}, []string{"BACKEND_AUTH_TOKEN_URL: required by oauth2-client-credentials in BACKENDS", "BACKEND_AUTH_CLIENT_SECRET: required by oauth2-client-credentials in BACKENDS"}},
		"nothing of a route's":    {[]string{"BACKENDS=https://a.example", "ROUTES=api", "ROUTE_API_MATCH=/api", "ROUTE_API_BACKENDS=https://b.example", "ROUTE_API_BACKEND_AUTH=oauth2-client-credentials", "ROUTE_API_BACKEND_AUTH_CLIENT_ID=me"}, []string{"ROUTE_API_BACKEND_AUTH_TOKEN_URL: required by oauth2-client-credentials in ROUTE_API_BACKEND_AUTH", "ROUTE_API_BACKEND_AUTH_CLIENT_SECRET: required by oauth2-client-credentials in ROUTE_API_BACKEND_AUTH"}},
		"what no route asks for":  {[]string{"BACKENDS=https://a.example", "ROUTES=api", "ROUTE_API_MATCH=/api", "ROUTE_API_BACKENDS=https://b.example", "ROUTE_API_BACKEND_AUTH_SCOPES=a"}, []string{"ROUTE_API_BACKEND_AUTH_SCOPES: is of no use without ROUTE_API_BACKEND_AUTH=oauth2-client-credentials or auth=oauth2 in ROUTE_API_BACKENDS, ROUTE_API_CANARY_BACKENDS or ROUTE_API_MIRROR_BACKENDS"}},
		"what nobody asks for":    {[]string{"BACKENDS=https://a.example", "BACKEND_AUTH_CLIENT_ID=me"}, []string{"BACKEND_AUTH_CLIENT_ID: is of no use without BACKEND_AUTH=oauth2-client-credentials or auth=oauth2 in BACKENDS"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, refused(t, test.environ)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIdentityOfOtherBackends has tokens for those of a route that are not its BACKENDS.
func TestIdentityOfOtherBackends(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"CANARY", "MIRROR"} {
		environ := []string{
			"ROUTES=api", "ROUTE_API_MATCH=/*", "ROUTE_API_BACKENDS=http://localhost:1", "ROUTE_API_" + side + "=5%", "ROUTE_API_" + side + "_BACKENDS=https://a.example;auth=oauth2-client-credentials",
			"ROUTE_API_BACKEND_AUTH_TOKEN_URL=https://issuer.example/token", "ROUTE_API_BACKEND_AUTH_CLIENT_ID=me", "ROUTE_API_BACKEND_AUTH_CLIENT_SECRET=s3cret", "ROUTE_API_BACKEND_AUTH_SCOPES=a",
		}
		if err := command(t.Context(), []string{"config"}, environ, io.Discard); err != nil {
			t.Errorf("%s: %v", side, err)
		}
	}
}
