package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPoliciesAtFault holds what a start says of policies that are not right:
// all of it at once, by the names of the variables, and never a secret.
func TestPoliciesAtFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		environ []string
		want    []string
	}{
		"the rate limit": {
			environ: []string{"RATE_LIMIT=0/s,5/s,6/s,ten,1/fortnight", "RATE_LIMIT_KEY=cookie:a", "RATE_LIMIT_MAX_KEYS=0", "RATE_LIMIT_DRY_RUN=maybe", "RATE_LIMIT_BURST=-1"},
			want: []string{
				`RATE_LIMIT: "0/s": must let at least one request in`,
				`RATE_LIMIT: "6/s": there is another limit per s`,
				`RATE_LIMIT: "ten": must be a number of requests and a unit, such as 100/s`,
				`RATE_LIMIT: "1/fortnight": unit must be s, m, h or d`,
				`RATE_LIMIT_BURST="-1": must be at least 0`,
				`RATE_LIMIT_KEY="cookie:a": must be client-ip, header:NAME or global, or several joined with +`,
				`RATE_LIMIT_MAX_KEYS="0": must be at least 1`,
				`RATE_LIMIT_DRY_RUN="maybe": must be true or false`,
			},
		},
		"keys without a place":       {environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_API_KEY_HEADER=off"}, want: []string{`AUTH_API_KEY_HEADER="": must name a field: the keys of AUTH_API_KEYS have no other place`}},
		"a single limit":             {environ: []string{"RATE_LIMIT=100/fortnight"}, want: []string{`RATE_LIMIT="100/fortnight": unit must be s, m, h or d`}},
		"a burst of over a year":     {environ: []string{"RATE_LIMIT=1/d", "RATE_LIMIT_BURST=400"}, want: []string{`RATE_LIMIT_BURST="400": must be at most 366 with 1/d: more take over a year to come back`}},
		"a header that cannot be":    {environ: []string{"RATE_LIMIT_KEY=header:a b"}, want: []string{`RATE_LIMIT_KEY="header:a b": must name a header, such as header:X-Tenant; "a b" cannot be one`}},
		"a misspelling of our own":   {environ: []string{"RATE_LIMTI=1/s", "CORS_ORIGINS=*"}, want: []string{"CORS_ORIGINS: unknown; did you mean CORS_ALLOWED_ORIGINS?", "RATE_LIMTI: unknown; did you mean RATE_LIMIT?"}},
		"a store of another kind":    {environ: []string{"RATE_LIMIT_REDIS_URL=http://me:s3cret@redis"}, want: []string{"RATE_LIMIT_REDIS_URL: must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"}},
		"a store's password":         {environ: []string{"RATE_LIMIT_REDIS_URL=redis://:s3cret/word@redis"}, want: []string{"RATE_LIMIT_REDIS_URL: must be a URL; if a user or password has one of / ? # @ : % in it, write that as %2F %3F %23 %40 %3A %25"}},
		"a store's port":             {environ: []string{"RATE_LIMIT_REDIS_URL=redis://me:s3cret@redis:99999"}, want: []string{"RATE_LIMIT_REDIS_URL: must have ports from 1 to 65535"}},
		"a store without TLS":        {environ: []string{"RATE_LIMIT_REDIS_URL=redis://redis", "RATE_LIMIT_REDIS_CA_FILE=/no.ca"}, want: []string{"RATE_LIMIT_REDIS_CA_FILE, RATE_LIMIT_REDIS_CERT_FILE, RATE_LIMIT_REDIS_KEY_FILE: need a RATE_LIMIT_REDIS_URL with TLS, such as rediss://host", "RATE_LIMIT_REDIS_URL: is of no use without RATE_LIMIT"}},
		"a store that is not waited": {environ: []string{"RATE_LIMIT_ON_STORE_ERROR=panic", "RATE_LIMIT_STORE_TIMEOUT=1ms"}, want: []string{`RATE_LIMIT_ON_STORE_ERROR="panic": must be local, allow or deny`, `RATE_LIMIT_STORE_TIMEOUT="1ms": must be at least 2ms`}},
		"CORS": {
			environ: []string{"CORS_ALLOWED_ORIGINS=app.example.com,https://*.com,https://a.test/path", "CORS_ALLOWED_METHODS=GET;POST", "CORS_ALLOWED_HEADERS=Cookie", "CORS_MAX_AGE=25h"},
			want: []string{
				`CORS_ALLOWED_ORIGINS: "app.example.com": must be scheme://host or scheme://host:port, such as https://app.example.com`,
				`CORS_ALLOWED_ORIGINS: "https://*.com": anybody can have a name below com`,
				`CORS_ALLOWED_ORIGINS: "https://a.test/path": an origin ends with its host or port: no slash, path or query`,
				`CORS_ALLOWED_METHODS="GET;POST": "GET;POST": must be a name of letters, digits and -`,
				`CORS_ALLOWED_HEADERS="Cookie": "Cookie": browsers do not let pages set this field`,
				`CORS_MAX_AGE="25h0m0s": must be whole seconds, up to 24h`,
			},
		},
		"CORS for anybody's credentials": {
			environ: []string{"CORS_ALLOWED_ORIGINS=*", "CORS_ALLOW_CREDENTIALS=true", "CORS_EXPOSED_HEADERS=*"},
			want: []string{
				`CORS_ALLOWED_ORIGINS="*": not with CORS_ALLOW_CREDENTIALS: any page could act for its visitors; list the origins that may`,
				"CORS_EXPOSED_HEADERS: * means nothing to browsers with CORS_ALLOW_CREDENTIALS: list the names",
			},
		},
		"CORS for credentials without TLS": {
			environ: []string{"CORS_ALLOWED_ORIGINS=http://a.test", "CORS_ALLOW_CREDENTIALS=true"},
			want:    []string{`CORS_ALLOWED_ORIGINS: "http://a.test": not with CORS_ALLOW_CREDENTIALS: whoever is on the way to a page without TLS can change it; use https`},
		},
		"CORS for no origin": {environ: []string{"CORS_ALLOWED_METHODS=PUT"}, want: []string{"CORS_ALLOWED_METHODS: is of no use without CORS_ALLOWED_ORIGINS"}},
		"credentials": {
			environ: []string{
				"AUTH_API_KEYS=s3cretkeywithoutaname,ci:s3cret,ci:s3cret-s3cret-s3cret,:s3cret-s3cret-s3cret,a:sha256:s3cret,b:s3cret s3cret s3cret",
				"AUTH_BASIC_USERS=me:s3cret,you:$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			},
			want: []string{
				"AUTH_API_KEYS: item 1: must be a name, a colon and a secret",
				"AUTH_API_KEYS: item 2: its key must have 16 to 256 characters",
				"AUTH_API_KEYS: item 3: must have a name of its own",
				"AUTH_API_KEYS: item 4: its name must have 1 to 255 characters, none of them a space",
				"AUTH_API_KEYS: item 5: behind sha256: must be 64 hexadecimal digits",
				"AUTH_API_KEYS: item 6: its key must be visible ASCII characters",
				"AUTH_BASIC_USERS: item 1: must have a bcrypt hash, as htpasswd -nB prints it; in a compose file each $ of it is written $$",
				"AUTH_BASIC_USERS: item 2: its bcrypt cost must be 4 to 14",
			},
		},
		"credentials in no file": {environ: []string{"AUTH_API_KEYS_FILE=/no.keys"}, want: []string{`AUTH_API_KEYS_FILE="/no.keys": no such file or directory`}},
		"fields of credentials": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_API_KEY_HEADER=Authorization", "AUTH_PRINCIPAL_HEADER=X_Principal", "AUTH_EXEMPT_PATHS=/*,healthz,/a/../b"},
			want: []string{
				`AUTH_API_KEY_HEADER="Authorization": must be a field that has no meaning of its own`,
				`AUTH_PRINCIPAL_HEADER="X_Principal": must be letters and digits, with single hyphens between them`,
				`AUTH_EXEMPT_PATHS: "/*" exempts everything`,
				`AUTH_EXEMPT_PATHS: "healthz" must begin with /`,
				`AUTH_EXEMPT_PATHS: "/a/../b" must be letters, digits and -._~!$&'()+=:@, without . and .. or nothing between slashes`,
			},
		},
		"a field for two": {environ: []string{"AUTH_PRINCIPAL_HEADER=x-api-key"}, want: []string{`AUTH_PRINCIPAL_HEADER="x-api-key": must be another one than AUTH_API_KEY_HEADER`}},
		"tokens": {
			environ: []string{"AUTH_JWT_JWKS_URL=http://me:s3cret@issuer.test/jwks", "AUTH_JWT_LEEWAY=11m", "AUTH_JWT_JWKS_REFRESH=1s"},
			want: []string{
				`AUTH_JWT_LEEWAY="11m": must be at most 10m`,
				`AUTH_JWT_JWKS_REFRESH="1s": must be at least 10s`,
				`AUTH_JWT_JWKS_URL: must be https, or http on localhost`,
				"AUTH_JWT_ISSUER: required by AUTH_JWT_JWKS_URL, e.g. https://issuer.example/",
				"AUTH_JWT_AUDIENCE: required by AUTH_JWT_JWKS_URL, or else tokens made for others let in; * if that is meant",
			},
		},
		"tokens of anybody": {
			environ: []string{"AUTH_JWT_JWKS_URL=https://issuer.test/", "AUTH_JWT_ISSUER=*", "AUTH_JWT_AUDIENCE=*,a"},
			want: []string{
				"AUTH_JWT_ISSUER: must name issuers, as a sub is somebody only together with its issuer",
				"AUTH_JWT_AUDIENCE: * must stand alone",
			},
		},
		"what nothing uses": {
			environ: []string{"MAX_QUEUE=1", "RATE_LIMIT_BURST=1"},
			want: []string{
				"RATE_LIMIT_BURST: is of no use without RATE_LIMIT",
				"MAX_QUEUE: is of no use without MAX_CONCURRENT_REQUESTS",
			},
		},
		"exempt from nothing": {
			environ: []string{"AUTH_EXEMPT_PATHS=/health"},
			want:    []string{"AUTH_EXEMPT_PATHS: is of no use without AUTH_API_KEYS, AUTH_BASIC_USERS, AUTH_JWT_JWKS_URL or AUTH_CLIENT_CERT: anybody is let in"},
		},
		"a key that is gone by then": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "RATE_LIMIT=1/s", "RATE_LIMIT_KEY=client-ip+header:x-api-key"},
			want:    []string{"RATE_LIMIT_KEY: header:X-Api-Key is not there any more when requests are counted; header:X-Auth-Principal+header:X-Auth-Method says whom it let in"},
		},
		"another key that is gone by then": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "BALANCER=hash", "BALANCER_HASH_KEY=header:x-api-key"},
			want:    []string{`BALANCER_HASH_KEY="header:X-Api-Key": is not there any more when a backend is chosen`},
		},
		"an id that is a credential": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "REQUEST_ID_HEADER=x-api-key"},
			want:    []string{`REQUEST_ID_HEADER="X-Api-Key": must be a field that has no other meaning`},
		},
		"slips at the door": {
			environ: []string{"ALLOW_CIDR=10.0.0.0/8", "AUTH_API_KEY=a"},
			want:    []string{"ALLOW_CIDR: unknown; did you mean ALLOW_CIDRS?", "AUTH_API_KEY: unknown; did you mean AUTH_API_KEYS?"},
		},
		"a store of nothing": {
			environ: []string{"RATE_LIMIT_REDIS_URL=redis://localhost"},
			want:    []string{"RATE_LIMIT_REDIS_URL: is of no use without RATE_LIMIT"},
		},
		"tokens without keys": {environ: []string{"AUTH_JWT_ISSUER=a"}, want: []string{"AUTH_JWT_ISSUER: is of no use without AUTH_JWT_JWKS_URL"}},
		"access": {
			environ: []string{"ALLOW_CIDRS=10.0.0.0/33", "DENY_CIDRS=localhost,10.0.0.1", "TRUSTED_PROXIES=me", "CLIENT_IP_HEADER=Host"},
			want: []string{
				`ALLOW_CIDRS="10.0.0.0/33": "10.0.0.0/33" must be a network such as 10.0.0.0/8 or an address`,
				`DENY_CIDRS="localhost,10.0.0.1": "localhost" must be a network such as 10.0.0.0/8 or an address`,
				`TRUSTED_PROXIES="me": "me" must be a network such as 10.0.0.0/8 or an address`,
				`CLIENT_IP_HEADER="Host": must be the name of a header field that holds an address, such as X-Forwarded-For, Forwarded or Fly-Client-IP`,
			},
		},
		"the own endpoints":         {environ: []string{"ADMIN_PORT=8080", "ADMIN_PREFIX=status"}, want: []string{`ADMIN_PREFIX="status": must be a path such as /.spangate, of letters, digits, dots, dashes and underscores`, `ADMIN_PORT="8080": must not be that of PORT; leave it empty to have both on one`}},
		"load":                      {environ: []string{"MAX_CONCURRENT_REQUESTS=-1", "MAX_QUEUE=x", "MAX_QUEUE_WAIT=0"}, want: []string{`MAX_CONCURRENT_REQUESTS="-1": must be at least 0`, `MAX_QUEUE="x": must be a whole number`, `MAX_QUEUE_WAIT="0": must be at least 1ms`}},
		"sizes":                     {environ: []string{"MAX_REQUEST_BODY=10 apples", "MAX_HEADER_BYTES=1"}, want: []string{`MAX_REQUEST_BODY="10 apples": unit " apples" must be B, KB, MB, GB, KiB, MiB or GiB`, `MAX_HEADER_BYTES="1": must be at least 1KiB`}},
		"a request's time and name": {environ: []string{"REQUEST_TIMEOUT=-1s", "REQUEST_ID_HEADER=Host"}, want: []string{`REQUEST_TIMEOUT="-1s": must be at least 0`, `REQUEST_ID_HEADER="Host": must be the name of a header field such as X-Request-Id, or off`}},
		"one of each": {
			environ: []string{
				"RATE_LIMIT=x", "RATE_LIMIT_REDIS_URL=s3cret", "CORS_ALLOWED_ORIGINS=x", "AUTH_API_KEYS=s3cret", "ALLOW_CIDRS=x", "MAX_QUEUE=x",
				"MAX_REQUEST_BODY=x", "REQUEST_ID_HEADER=x y", "REQUEST_TIMEOUT=x", "ADMIN_PORT=x", "AUTH_APIKEYS=s3cret",
			},
			want: []string{
				`REQUEST_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`,
				`MAX_REQUEST_BODY="x": must be a whole number of bytes, such as 65536 or 64KiB`,
				`REQUEST_ID_HEADER="x y": must be the name of a header field such as X-Request-Id, or off`,
				`ALLOW_CIDRS="x": "x" must be a network such as 10.0.0.0/8 or an address`,
				`CORS_ALLOWED_ORIGINS="x": "x": must be scheme://host or scheme://host:port, such as https://app.example.com`,
				`RATE_LIMIT="x": must be a number of requests and a unit, such as 100/s`,
				`MAX_QUEUE="x": must be a whole number`,
				`ADMIN_PORT="x": must be a whole number from 0 to 65535`,
				"AUTH_API_KEYS: item 1: must be a name, a colon and a secret",
				"RATE_LIMIT_REDIS_URL: must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://",
				"AUTH_APIKEYS: unknown; did you mean AUTH_API_KEYS?",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{}, {"config"}} {
				var stdout, stderr strings.Builder
				err := command(t.Context(), args, append([]string{backends}, test.environ...), &stdout)
				if code := report(&stderr, err); code != 64 || stdout.Len() > 0 {
					t.Errorf("%q: exit code is %d, stdout %q", args, code, &stdout)
				}
				if diff := cmp.Diff(test.want, strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")); diff != "" {
					t.Errorf("%q: faults (-want +got):\n%s", args, diff)
				}
				if strings.Contains(stderr.String(), "s3cret") {
					t.Errorf("%q: shows a secret:\n%s", args, &stderr)
				}
			}
		})
	}
}
