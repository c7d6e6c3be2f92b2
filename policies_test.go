package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/otlptest"
)

// TestPolicies shows each policy at the program's door: what clients are told,
// what a trace, the metrics and the log say, and that nothing which is refused
// reaches a backend.
func TestPolicies(t *testing.T) {
	t.Parallel()
	bcrypted := hashed(t, "open sesame")
	basicUsers := "AUTH_BASIC_USERS=me:" + bcrypted
	const cors = "CORS_ALLOWED_ORIGINS=https://app.test"
	const keys = "AUTH_API_KEYS=ci:" + apiKey
	keyFile := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keyFile, []byte("\nci:"+apiKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	issuer := newTokenIssuer(t)
	tests := map[string]struct {
		environ  []string
		await    string // in the log, before the first request
		requests []knock
		want     string // the responses
		tree     string
		counted  string
		log      string // a line for each request
	}{
		"nothing on": {
			requests: []knock{{target: "/own", header: []string{aPage, "X-Request-Id: mine", "X-Auth-Principal: admin"}}, {method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT"}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET X-Auth-Principal=admin X-Request-Id=mine\n" +
				"200\n" +
				"  Got: OPTIONS\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"OPTIONS SERVER Unset http.response.status_code=200\n" +
				"  OPTIONS CLIENT Unset http.response.status_code=200\n",
			log: "200\n" +
				"200\n",
		},
		"access: let in": {
			environ:  []string{"ALLOW_CIDRS=127.0.0.0/8", "DENY_CIDRS=10.0.0.0/8"},
			requests: []knock{{}},
			want: "200\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"access: denied, though allowed": {
			environ:  []string{"ALLOW_CIDRS=all", "DENY_CIDRS=127.0.0.1"},
			requests: []knock{{}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=denied\n",
			counted:  "policy.rejections map[reason:denied rejection:access] 1\n",
			log:      "403 policy=access reason=denied\n",
		},
		"access: not allowed": {
			environ:  []string{"ALLOW_CIDRS=10.0.0.0/8"},
			requests: []knock{{}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=not_allowed\n",
			counted:  "policy.rejections map[reason:not_allowed rejection:access] 1\n",
			log:      "403 policy=access reason=not_allowed\n",
		},
		"access: no address": {
			environ:  []string{"TRUSTED_PROXIES=127.0.0.0/8", "DENY_CIDRS=10.0.0.0/8"},
			requests: []knock{{header: []string{"X-Forwarded-For: unknown"}}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=no_address\n",
			counted:  "policy.rejections map[reason:no_address rejection:access] 1\n",
			log:      "403 policy=access reason=no_address\n",
		},
		"cors: a page that may": {
			environ:  []string{cors, "CORS_ALLOW_CREDENTIALS=true", "CORS_EXPOSED_HEADERS=Got"},
			requests: []knock{{target: "/own", header: []string{aPage}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Origin\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Access-Control-Expose-Headers: got\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: any page": {
			environ:  []string{"CORS_ALLOWED_ORIGINS=*"},
			requests: []knock{{target: "/own", header: []string{aPage}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: a page that may not": {
			environ:  []string{cors},
			requests: []knock{{target: "/own", header: []string{"Origin: https://evil.test"}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Origin\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: no page": {
			environ:  []string{cors},
			requests: []knock{{}},
			want: "200\n" +
				"  Vary: Origin\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: a preflight": {
			environ:  []string{cors, "CORS_ALLOWED_HEADERS=X-A,X-B"},
			requests: []knock{{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a"}}},
			want: "204\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
				"  Access-Control-Allow-Headers: x-a,x-b\n" +
				"  Access-Control-Max-Age: 7200\n",
			tree: "OPTIONS SERVER Unset http.response.status_code=204\n",
			log:  "204\n",
		},
		"cors: a preflight of another page": {
			environ:  []string{cors},
			requests: []knock{{method: "OPTIONS", header: []string{"Origin: https://evil.test", "Access-Control-Request-Method: PUT"}}},
			want: "403 Pages of this origin may not send such requests here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=origin\n",
			counted: "policy.rejections map[reason:origin rejection:cors] 1\n",
			log:     "403 policy=cors reason=origin\n",
		},
		"cors: a preflight of a method": {
			environ:  []string{cors},
			requests: []knock{preflightOf("PURGE")},
			want: "403 Pages of other origins may not use this method here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=method\n",
			counted: "policy.rejections map[reason:method rejection:cors] 1\n",
			log:     "403 policy=cors reason=method\n",
		},
		"cors: a preflight of a field": {
			environ:  []string{cors},
			requests: []knock{{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-other"}}},
			want: "403 Pages of other origins may not send one of these header fields here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=header\n",
			counted: "policy.rejections map[reason:header rejection:cors] 1\n",
			log:     "403 policy=cors reason=header\n",
		},
		"auth: an API key": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=ci auth=api_key\n",
		},
		"auth: a password": {
			environ:  []string{basicUsers},
			requests: []knock{{header: []string{basicMe}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=me X-Auth-Method=basic\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=me spangate.auth.method=basic\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=me auth=basic\n",
		},
		"auth: both, of which the password names the principal": {
			environ:  []string{keys, basicUsers},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey, basicMe}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=me X-Auth-Method=basic\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=me spangate.auth.method=basic\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=me auth=basic\n",
		},
		"auth: nothing": {
			environ:  []string{keys, basicUsers},
			requests: []knock{{}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: Basic realm=\"spangate\", charset=\"UTF-8\"\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing\n",
		},
		"auth: an unknown key": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: 0123456789abcdeF"}}},
			want: "401 The API key is not known.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=unknown_key\n",
			counted: "policy.rejections map[reason:unknown_key rejection:auth] 1\n",
			log:     "401 policy=auth reason=unknown_key\n",
		},
		"auth: two keys": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey, "X-Api-Key: " + apiKey}}},
			want: "401 The credentials cannot be read.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=malformed\n",
			counted: "policy.rejections map[reason:malformed rejection:auth] 1\n",
			log:     "401 policy=auth reason=malformed\n",
		},
		"auth: a wrong password": {
			environ:  []string{basicUsers},
			requests: []knock{{header: []string{basicNot}}},
			want: "401 The user or the password is wrong.\n" +
				"  Www-Authenticate: Basic realm=\"spangate\", charset=\"UTF-8\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=bad_password\n",
			counted: "policy.rejections map[reason:bad_password rejection:auth] 1\n",
			log:     "401 policy=auth reason=bad_password\n",
		},
		"auth: a principal that is made up": {
			environ: []string{keys, "AUTH_EXEMPT_PATHS=/open"},
			requests: []knock{{target: "/open", header: []string{"X-Auth-Principal: admin", "X_auth_principal: admin", "X-Auth-Method: jwt"}},
				{header: []string{"X-Api-Key: " + apiKey, "X-Auth-Principal: admin", "X_auth_principal: admin", "Connection: X-Auth-Principal, X-Auth-Method"}},
				{target: "/open/", header: []string{"X-Auth-Principal: admin"}}},
			want: "200\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n" +
				"401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log: "200\n" +
				"200 principal=ci auth=api_key\n" +
				"401 policy=auth reason=missing\n",
		},
		"auth: a token": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil)}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=alice X-Auth-Method=jwt Authorization=Bearer\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=alice spangate.auth.method=jwt\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=alice auth=jwt\n",
		},
		"auth: a token of nobody": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(jwt.SigningMethodNone)}}},
			want: "401 The token is signed in a way that is not accepted.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed in a way that is not accepted.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_algorithm\n",
			counted: "policy.rejections map[reason:token_algorithm rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_algorithm\n",
		},
		"auth: a token signed with the public key": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(jwt.SigningMethodHS256)}}},
			want: "401 The token is signed in a way that is not accepted.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed in a way that is not accepted.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_algorithm\n",
			counted: "policy.rejections map[reason:token_algorithm rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_algorithm\n",
		},
		"auth: a token of yesterday": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "exp", time.Now().Add(-24*time.Hour).Unix())}}},
			want: "401 The token has expired.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token has expired.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_expired\n",
			counted: "policy.rejections map[reason:token_expired rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_expired\n",
		},
		"auth: a token of another issuer": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "iss", "https://evil.test/")}}},
			want: "401 The token is from another issuer.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is from another issuer.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_issuer\n",
			counted: "policy.rejections map[reason:token_issuer rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_issuer\n",
		},
		"auth: a token for others": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "aud", "others")}}},
			want: "401 The token is for another audience.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is for another audience.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_audience\n",
			counted: "policy.rejections map[reason:token_audience rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_audience\n",
		},
		"auth: a token of an unknown key": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "kid", "other")}}},
			want: "401 The token is signed with an unknown key.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed with an unknown key.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_unknown_key\n",
			counted: "policy.rejections map[reason:token_unknown_key rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_unknown_key\n",
		},
		"auth: a token where there are none": {
			environ:  []string{keys},
			requests: []knock{{header: []string{issuer.bearer(nil)}}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing\n",
		},
		"rate limit: let in": {
			environ:  []string{"RATE_LIMIT=10/h"},
			requests: []knock{{target: "/own"}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: \"10/h\";q=10;w=3600\n" +
				"  Ratelimit: \"10/h\";r=9;t=T\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=10/h spangate.rate_limit.limit=10 spangate.rate_limit.remaining=9 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:10/h result:allowed store:memory] 1\n",
			log:     "200\n",
		},
		"rate limit: several": {
			environ:  []string{"RATE_LIMIT=2/h,1000/d", "RATE_LIMIT_BURST=5", "RATE_LIMIT_KEY=global"},
			requests: []knock{{}},
			want: "200\n" +
				"  Ratelimit-Policy: \"2/h\";q=2;w=3600;spangate-burst=5, \"1000/d\";q=1000;w=86400\n" +
				"  Ratelimit: \"2/h\";r=4;t=T\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=2/h spangate.rate_limit.limit=2 spangate.rate_limit.remaining=4 spangate.rate_limit.store=memory spangate.rate_limit.key_source=global\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:2/h result:allowed store:memory] 1\n",
			log:     "200\n",
		},
		"rate limit: refused": {
			environ:  []string{"RATE_LIMIT=1/h"},
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:memory] 1\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:memory] 1\n",
			log: "200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: of tenants": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_KEY=header:X-Tenant"},
			requests: []knock{{header: []string{"X-Tenant: a"}}, {header: []string{"X-Tenant: b"}}, {header: []string{"X-Tenant: a"}}, {}, {header: []string{"X-Tenant: a", "X-Tenant: c"}}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 2\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:memory] 3\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:memory] 2\n",
			log: "200\n" +
				"200\n" +
				"429 policy=rate_limit reason=limited\n" +
				"200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: in a dry run": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_DRY_RUN=true"},
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T;spangate-dry-run\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T;spangate-dry-run\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=dry_run spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:1/h result:allowed store:memory] 1\n" +
				"rate_limit.decisions map[policy:1/h result:dry_run store:memory] 1\n",
			log: "200\n" +
				"200\n",
		},
		"rate limit: without its store, by its share": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=local spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=local spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:local] 1\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:local] 1\n",
			log: "200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: without its store, let in": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_ON_STORE_ERROR=allow", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[result:store_error] 2\n",
			log: "200\n" +
				"200\n",
		},
		"rate limit: without its store, refused": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_ON_STORE_ERROR=deny", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}},
			want: "503 Whether the request may come in cannot be told at the moment.\n" +
				"  Retry-After: 1\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n",
			tree: "GET SERVER Error http.response.status_code=503 error.type=503 spangate.policy.rejection=rate_limit spangate.policy.reason=store_error\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:store_error rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[result:store_error] 1\n",
			log: "503 policy=rate_limit reason=store_error\n",
		},
		"rate limit: a preflight": {
			environ:  []string{cors, "RATE_LIMIT=1/h"},
			requests: []knock{preflightOf("PUT")},
			want: "204\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
				"  Access-Control-Allow-Headers: content-type\n" +
				"  Access-Control-Max-Age: 7200\n",
			tree: "OPTIONS SERVER Unset http.response.status_code=204\n",
			log:  "204\n",
		},
		"body: let in": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: strings.NewReader("abc")}},
			want: "200\n" +
				"  Got: POST\n",
			tree: "POST SERVER Unset http.response.status_code=200\n" +
				"  POST CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"body: too large": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: strings.NewReader("four")}},
			want:     "413 The request's body is larger than is accepted here.\n",
			tree:     "POST SERVER Unset http.response.status_code=413 spangate.policy.rejection=body spangate.policy.reason=too_large\n",
			counted:  "policy.rejections map[reason:too_large rejection:body] 1\n",
			log:      "413 policy=body reason=too_large error_type=body_too_large\n",
		},
		"body: too large, as it turns out": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: io.MultiReader(strings.NewReader("four"))}},
			want:     "413 The request's body is larger than is accepted here.\n",
			tree: "POST SERVER Unset http.response.status_code=413 spangate.policy.rejection=body spangate.policy.reason=too_large\n" +
				"  POST CLIENT Unset\n",
			counted: "policy.rejections map[reason:too_large rejection:body] 1\n",
			log:     "413 policy=body reason=too_large error_type=body_too_large\n",
		},
		"auth: a key of a file": {
			environ:  []string{"AUTH_API_KEYS_FILE=" + keyFile},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=ci auth=api_key\n",
		},
		"request id: made": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{target: "/own"}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: made\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET X-Request-Id=made\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=made\n",
		},
		"request id: kept": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{header: []string{"X-Request-Id: mine"}}},
			want: "200\n" +
				"  X-Request-Id: mine\n" +
				"  Got: GET X-Request-Id=mine\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=mine\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=mine\n",
		},
		"request id: malformed": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{header: []string{"X-Request-Id: <mine>"}}, {header: []string{"X-Request-Id: a", "X-Request-Id: b"}}},
			want: "200\n" +
				"  X-Request-Id: made\n" +
				"  Got: GET X-Request-Id=made\n" +
				"200\n" +
				"  X-Request-Id: made\n" +
				"  Got: GET X-Request-Id=made\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=made\n" +
				"200 request_id=made\n",
		},
		"request id: of what is refused, and named by Connection": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id", keys},
			requests: []knock{{header: []string{"X-Request-Id: mine", "Connection: X-Request-Id"}}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n" +
				"  X-Request-Id: mine\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing spangate.request.id=mine\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing request_id=mine\n",
		},
		"timeout: in time": {
			environ:  []string{"REQUEST_TIMEOUT=1h"},
			requests: []knock{{}},
			want: "200\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"timeout: too late": {
			environ:  []string{"REQUEST_TIMEOUT=50ms"},
			requests: []knock{{target: "/wait"}},
			want:     "504 The server behind the gateway did not answer in time.\n",
			tree: "GET SERVER Error http.response.status_code=504 error.type=timeout\n" +
				"  GET CLIENT Error error.type=timeout\n",
			log: "504 error_type=timeout\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newFront(t)
			p := start(t, append([]string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "REQUEST_ID_HEADER=off"}, test.environ...)...)
			if test.await != "" {
				p.await(test.await)
			}
			got, traceID := p.knocks(t, test.requests)
			p.stop()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("responses (-want +got):\n%s", diff)
			}
			p.checkPolicies(t, test.tree, test.counted)
			lines, last := "", ""
			for _, line := range p.log.requests(t) {
				lines += doorLine(line) + "\n"
				last = fmt.Sprint(line["trace_id"])
			}
			if diff := cmp.Diff(test.log, lines); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
			if traceID != "" && traceID != last {
				t.Errorf("the last response names trace %s, the log %s", traceID, last)
			}
			if traceID != "" && !slices.ContainsFunc(p.spans("SERVER"), func(s otlptest.Span) bool { return s.TraceID == traceID }) {
				t.Errorf("no SERVER span is in trace %s, which the last response names", traceID)
			}
			served := len(p.spans("CLIENT"))
			if n := int(backend.reached.Load()); n > served || strings.Count(got, "  Got: ") > n {
				t.Errorf("the backend was reached %d times, %d CLIENT spans say", n, served)
			}
		})
	}
}
