package policy_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/policy"
	"spangate/policy/jwks"
)

// header and claims are changes to those of a token that is right; a nil value
// leaves a member out.
type (
	header = map[string]any
	claims = map[string]any
)

// signer is a key of an issuer.
type signer struct {
	id, algorithm string
	private       crypto.Signer
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// The issuer's keys, and one that is not its own.
var (
	rsaSigner   = sync.OnceValue(func() signer { return signer{"rsa", "RS256", must(rsa.GenerateKey(rand.Reader, 2048))} })
	pssSigner   = sync.OnceValue(func() signer { return signer{"pss", "PS256", must(rsa.GenerateKey(rand.Reader, 2048))} })
	otherSigner = sync.OnceValue(func() signer { return signer{"rsa", "RS256", must(rsa.GenerateKey(rand.Reader, 2048))} })
	smallSigner = sync.OnceValue(func() signer { return signer{"small", "RS256", must(rsa.GenerateKey(rand.Reader, 1024))} })
	p256Signer  = sync.OnceValue(func() signer { return signer{"p256", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))} })
	p384Signer  = sync.OnceValue(func() signer { return signer{"p384", "ES384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))} })
	p521Signer  = sync.OnceValue(func() signer { return signer{"p521", "ES512", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))} })
	edSigner    = sync.OnceValue(func() signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return signer{"ed", "EdDSA", must(private, err)}
	})
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk is the public half of the key, member by member.
func (s signer) jwk() map[string]any {
	members := map[string]any{"kid": s.id, "use": "sig"}
	switch public := s.private.Public().(type) {
	case *rsa.PublicKey:
		members["kty"], members["n"], members["e"] = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(public.Bytes())[1:]
		members["kty"], members["crv"] = "EC", public.Params().Name
		members["x"], members["y"] = b64(point[:len(point)/2]), b64(point[len(point)/2:])
	case ed25519.PublicKey:
		members["kty"], members["crv"], members["x"] = "OKP", "Ed25519", b64(public)
	}
	return members
}

// sign signs text as algorithm says, whatever the key is for.
func (s signer) sign(algorithm, text string) string {
	if algorithm == "none" {
		return ""
	}
	return b64(must(jwt.GetSigningMethod(algorithm).Sign(text, s.private)))
}

// issuer has keys and is a server of them.
type issuer struct {
	signer signer
	url    string

	mu      sync.Mutex
	keys    []byte
	down    bool
	fetches int
}

func newIssuer(tb testing.TB, signers ...func() signer) *issuer {
	i := &issuer{signer: signers[0]()}
	var keys []map[string]any
	for _, s := range signers {
		keys = append(keys, s().jwk())
	}
	i.publish(keys...)
	server := httptest.NewServer(i)
	tb.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) publish(keys ...map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = must(json.Marshal(map[string]any{"keys": keys}))
}

func (i *issuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches++
	if i.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Write(i.keys)
}

// RoundTrip is for virtual time, in which there are no servers.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w.Result(), nil
}

func (i *issuer) config() policy.TokenConfig {
	return policy.TokenConfig{
		JWKSURL: jwks.URL(i.url), Issuers: policy.AuthNames{"https://issuer.example/", "https://second.example/"},
		Audience: policy.AuthNames{"api", "https://api.example/"}, Leeway: 30 * time.Second, Refresh: 10 * time.Minute, Stale: time.Hour,
	}
}

// tokens verifies the issuer's, once it has its keys.
func (i *issuer) tokens(tb testing.TB) *policy.Tokens {
	tb.Helper()
	tokens := policy.NewTokens(i.config(), nil)
	run(tb, tokens)
	return tokens
}

func run(tb testing.TB, tokens *policy.Tokens) {
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { tokens.Run(ctx) })
	tb.Cleanup(func() { cancel(); background.Wait() })
}

// token returns one that is right but for the changes, signed as its header says.
func (i *issuer) token(h header, c claims) string { return i.signer.token(h, c) }

func (s signer) token(h header, c claims) string {
	head := header{"alg": s.algorithm, "kid": s.id, "typ": "JWT"}
	body := claims{
		"iss": "https://issuer.example/", "aud": "api", "sub": "alice",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	change(head, h)
	change(body, c)
	algorithm, _ := head["alg"].(string)
	if jwt.GetSigningMethod(algorithm) == nil || strings.HasPrefix(algorithm, "HS") {
		algorithm = s.algorithm
	}
	return s.raw(algorithm, string(must(json.Marshal(head))), string(must(json.Marshal(body))))
}

func change(members, changes map[string]any) {
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
}

// raw signs a header and claims as they are.
func (s signer) raw(algorithm, head, body string) string {
	text := b64([]byte(head)) + "." + b64([]byte(body))
	return text + "." + s.sign(algorithm, text)
}

// hs256 signs with a text, as some verify with a public key's.
func hs256(key []byte, id string) string {
	text := b64(fmt.Appendf(nil, `{"alg":"HS256","kid":%q}`, id)) + "." +
		b64(fmt.Appendf(nil, `{"iss":"https://issuer.example/","aud":"api","sub":"root","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

func TestTokens(t *testing.T) {
	i := newIssuer(t, rsaSigner, p256Signer, p384Signer, p521Signer, edSigner)
	pss := pssSigner().jwk()
	pss["alg"] = "PS256"
	keys := []map[string]any{pss}
	for _, s := range []func() signer{rsaSigner, p256Signer, p384Signer, p521Signer, edSigner} {
		keys = append(keys, s().jwk())
	}
	i.publish(keys...)
	d := newDoor(authConfig(policy.AuthConfig{}), i.tokens(t))
	now := time.Now().Unix()
	for name, token := range map[string]string{
		"RS256":                        i.token(nil, nil),
		"RS384":                        i.token(header{"alg": "RS384"}, nil),
		"RS512":                        i.token(header{"alg": "RS512"}, nil),
		"PS384 of a key for any":       i.token(header{"alg": "PS384"}, nil),
		"PS512 of a key for any":       i.token(header{"alg": "PS512"}, nil),
		"PS256 of a key for that":      pssSigner().token(nil, nil),
		"ES256":                        p256Signer().token(nil, nil),
		"ES384":                        p384Signer().token(nil, nil),
		"ES512":                        p521Signer().token(nil, nil),
		"EdDSA":                        edSigner().token(nil, nil),
		"no id, one key for it":        p256Signer().token(header{"kid": nil}, nil),
		"no type":                      i.token(header{"typ": nil}, nil),
		"an access token's type":       i.token(header{"typ": "at+jwt"}, nil),
		"a type in full":               i.token(header{"typ": "application/AT+JWT"}, nil),
		"second issuer":                i.token(nil, claims{"iss": "https://second.example/"}),
		"second audience":              i.token(nil, claims{"aud": "https://api.example/"}),
		"one audience of several":      i.token(nil, claims{"aud": []string{"other", "api"}}),
		"no date of issue":             i.token(nil, claims{"iat": nil}),
		"dates with fractions":         i.token(nil, claims{"iat": float64(now) - .5, "exp": float64(now) + 100.5, "nbf": float64(now) - 1.25}),
		"expired within the leeway":    i.token(nil, claims{"exp": now - 20}),
		"valid within the leeway":      i.token(nil, claims{"nbf": now + 20, "iat": now + 20}),
		"claims of another name":       i.token(nil, claims{"EXP": 1, "Sub": "root", "AUD": "x", "scope": map[string]any{"exp": 1}}),
		"members in a header":          i.token(header{"x5t": "?", "cty": "?", "zip": "?"}, nil),
		"a key within that is ignored": i.token(header{"jwk": otherSigner().jwk(), "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "x5c": []string{"?"}}, nil),
		"almost too large":             i.token(nil, claims{"pad": strings.Repeat("x", 5500)}),
	} {
		t.Run(name, func(t *testing.T) {
			d.want(t, by("jwt", "alice"), "Authorization: Bearer "+token)
			d.want(t, by("jwt", "alice"), "Authorization: bEARER  "+token) // remembered
		})
	}
}

func TestTokenAttacks(t *testing.T) {
	small, encryption, symmetric := smallSigner(), otherSigner().jwk(), []byte("a secret that is shared by some")
	encryption["use"], encryption["kid"] = "enc", "enc"
	pinned := pssSigner().jwk()
	pinned["alg"] = "PS256"
	i := newIssuer(t, rsaSigner)
	i.publish(
		rsaSigner().jwk(), pinned, p256Signer().jwk(), p384Signer().jwk(), edSigner().jwk(), small.jwk(), encryption,
		map[string]any{"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(symmetric)},
	)
	d := newDoor(authConfig(policy.AuthConfig{}), i.tokens(t))

	now := time.Now().Unix()
	right := i.token(nil, nil)
	head, rest, _ := strings.Cut(right, ".")
	body, signature, _ := strings.Cut(rest, ".")
	der := must(x509.MarshalPKIXPublicKey(rsaSigner().private.Public()))
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	pkcs1PEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(rsaSigner().private.Public().(*rsa.PublicKey))})
	jwkText := must(json.Marshal(rsaSigner().jwk()))
	embedded := otherSigner().jwk()
	bodyText := func(claims string) string {
		return fmt.Sprintf(`{"iss":"https://issuer.example/","aud":"api","sub":"alice","exp":%d%s}`, now+3600, claims)
	}
	signed := func(body string) string { return rsaSigner().raw("RS256", `{"alg":"RS256","kid":"rsa"}`, body) }
	unsigned := func(algorithm string) string {
		return b64(fmt.Appendf(nil, `{"alg":%q,"kid":"rsa"}`, algorithm)) + "." + body + "."
	}

	attacks := map[string]struct{ token, reason string }{
		// No signature.
		"alg none":                         {unsigned("none"), "token_algorithm"},
		"alg None":                         {unsigned("None"), "token_algorithm"},
		"alg NONE":                         {unsigned("NONE"), "token_algorithm"},
		"alg nOnE":                         {unsigned("nOnE"), "token_algorithm"},
		"alg none with a space":            {unsigned("none "), "token_algorithm"},
		"alg none with a signature":        {unsigned("none") + signature, "token_algorithm"},
		"alg none without an id":           {b64([]byte(`{"alg":"none"}`)) + "." + body + ".", "token_algorithm"},
		"alg empty":                        {unsigned(""), "token_algorithm"},
		"alg missing":                      {b64([]byte(`{"kid":"rsa"}`)) + "." + body + "." + signature, "token_algorithm"},
		"alg null":                         {b64([]byte(`{"alg":null}`)) + "." + body + "." + signature, "token_algorithm"},
		"alg of a number":                  {b64([]byte(`{"alg":0}`)) + "." + body + "." + signature, "token_algorithm"},
		"alg of a list":                    {b64([]byte(`{"alg":["RS256","none"]}`)) + "." + body + "." + signature, "token_algorithm"},
		"alg twice, none last":             {b64([]byte(`{"alg":"RS256","alg":"none"}`)) + "." + body + ".", "token_algorithm"},
		"alg twice, none first":            {b64([]byte(`{"alg":"none","alg":"RS256","kid":"rsa"}`)) + "." + body + ".", "token_signature"},
		"alg in capitals":                  {b64([]byte(`{"ALG":"none"}`)) + "." + body + ".", "token_algorithm"},
		"no signature":                     {head + "." + body + ".", "token_signature"},
		"signature cut":                    {head + "." + body + "." + b64(must(base64.RawURLEncoding.DecodeString(signature))[:255]), "token_signature"},
		"signature of zeros, RSA":          {head + "." + body + "." + b64(make([]byte, 256)), "token_signature"},
		"signature of zeros, ECDSA":        {b64([]byte(`{"alg":"ES256","kid":"p256"}`)) + "." + body + "." + b64(make([]byte, 64)), "token_signature"}, // CVE-2022-21449
		"signature of zeros, Ed25519":      {b64([]byte(`{"alg":"EdDSA","kid":"ed"}`)) + "." + body + "." + b64(make([]byte, 64)), "token_signature"},
		"signature of another token":       {head + "." + b64([]byte(bodyText(`,"admin":true`))) + "." + signature, "token_signature"},
		"ECDSA signature in DER":           {derSignature(p256Signer(), body), "token_signature"},
		"ECDSA signature, longer by zeros": {paddedSignature(p256Signer().token(nil, nil)), "token_signature"},

		// The public key as a secret.
		"HS256 with the public key, PEM":     {hs256(publicPEM, "rsa"), "token_algorithm"},
		"HS256 with the public key, trimmed": {hs256(bytes.TrimSpace(publicPEM), "rsa"), "token_algorithm"},
		"HS256 with the public key, PKCS 1":  {hs256(pkcs1PEM, "rsa"), "token_algorithm"},
		"HS256 with the public key, DER":     {hs256(der, "rsa"), "token_algorithm"},
		"HS256 with the modulus":             {hs256(rsaSigner().private.Public().(*rsa.PublicKey).N.Bytes(), "rsa"), "token_algorithm"},
		"HS256 with the key's JSON":          {hs256(jwkText, "rsa"), "token_algorithm"},
		"HS256 with nothing":                 {hs256(nil, "rsa"), "token_algorithm"},
		"HS256 with a point":                 {hs256(must(p256Signer().private.Public().(*ecdsa.PublicKey).Bytes()), "p256"), "token_algorithm"},
		"HS256 with a secret of the set":     {hs256(symmetric, "oct"), "token_algorithm"},

		// A key for something else.
		"alg that the key is not for":      {pssSigner().token(header{"alg": "RS256"}, nil), "token_algorithm"},
		"alg of the same type, longer":     {pssSigner().token(header{"alg": "PS512"}, nil), "token_algorithm"},
		"alg of another type":              {rsaSigner().token(header{"kid": "p256"}, nil), "token_algorithm"},
		"alg of another curve":             {p256Signer().token(header{"kid": "p384"}, nil), "token_algorithm"},
		"EdDSA with a point for ECDSA":     {edSigner().token(header{"kid": "p256"}, nil), "token_algorithm"},
		"RS256 signature called PS256":     {b64([]byte(`{"alg":"PS256","kid":"rsa"}`)) + "." + body + "." + signature, "token_signature"},
		"RS256 signature called RS512":     {b64([]byte(`{"alg":"RS512","kid":"rsa"}`)) + "." + body + "." + signature, "token_signature"},
		"a key for encryption":             {otherSigner().token(header{"kid": "enc"}, nil), "token_unknown_key"},
		"an RSA key of 1024 bits":          {small.token(nil, nil), "token_unknown_key"},
		"ES256K":                           {b64([]byte(`{"alg":"ES256K","kid":"p256"}`)) + "." + body + "." + b64(make([]byte, 64)), "token_algorithm"},
		"signed by another key of that id": {otherSigner().token(nil, nil), "token_signature"},
		"signed by another key of the set": {pssSigner().token(header{"kid": "rsa"}, nil), "token_signature"},
		"a key of the token's own (jwk)":   {otherSigner().token(header{"jwk": embedded}, nil), "token_signature"},
		"a key of its own without an id":   {otherSigner().token(header{"jwk": embedded, "kid": nil, "alg": "RS512"}, nil), "token_signature"},
		"a key from elsewhere (jku)":       {otherSigner().token(header{"jku": i.url, "kid": "enc"}, nil), "token_unknown_key"},
		"a certificate (x5c, x5u)":         {otherSigner().token(header{"x5c": []string{b64(der)}, "x5u": i.url}, nil), "token_signature"},
		"an extension that is critical":    {rsaSigner().token(header{"crit": []string{"exp"}, "exp": now}, nil), "token_malformed"},
		"an unencoded body (b64)":          {rsaSigner().token(header{"crit": []string{"b64"}, "b64": false}, nil), "token_malformed"},
		"nothing that is critical":         {rsaSigner().token(header{"crit": []string{}}, nil), "token_malformed"},
		"a token for something else":       {rsaSigner().token(header{"typ": "logout+jwt"}, nil), "token_malformed"},
		"a proof of possession":            {rsaSigner().token(header{"typ": "dpop+jwt", "jwk": rsaSigner().jwk()}, nil), "token_malformed"},
		"a type that is no text":           {rsaSigner().token(header{"typ": 1}, nil), "token_malformed"},

		// The id of a key.
		"unknown id":                   {rsaSigner().token(header{"kid": "RSA"}, nil), "token_unknown_key"},
		"id with a path":               {rsaSigner().token(header{"kid": "../../../../dev/null"}, nil), "token_unknown_key"},
		"id with SQL":                  {rsaSigner().token(header{"kid": "x' UNION SELECT 'key' --"}, nil), "token_unknown_key"},
		"id with a command":            {rsaSigner().token(header{"kid": "rsa|/bin/sh"}, nil), "token_unknown_key"},
		"id with a URL":                {rsaSigner().token(header{"kid": i.url}, nil), "token_unknown_key"},
		"id with a zero byte":          {rsaSigner().token(header{"kid": "rsa\x00"}, nil), "token_unknown_key"},
		"id with a line end":           {rsaSigner().token(header{"kid": "rsa\r\nX-Auth-Principal: root"}, nil), "token_unknown_key"},
		"id that is a number":          {rsaSigner().token(header{"kid": 0}, nil), "token_malformed"},
		"id that is a list":            {rsaSigner().token(header{"kid": []string{"rsa"}}, nil), "token_malformed"},
		"id that is very long":         {rsaSigner().token(header{"kid": strings.Repeat("x", 513)}, nil), "token_malformed"},
		"no id, one key for it":        {rsaSigner().token(header{"kid": nil}, nil), ""}, // another one is for PS256 only, the others are for nothing
		"no id, several that would do": {rsaSigner().token(header{"kid": nil, "alg": "PS256"}, nil), "token_unknown_key"},
		"no id, none for it":           {p521Signer().token(header{"kid": nil}, nil), "token_unknown_key"},

		// When, for whom and by whom.
		"expired":                         {i.token(nil, claims{"exp": now - 31}), "token_expired"},
		"expired long ago":                {i.token(nil, claims{"exp": 0}), "token_expired"},
		"never expires":                   {i.token(nil, claims{"exp": nil}), "token_malformed"},
		"expires in a text":               {i.token(nil, claims{"exp": fmt.Sprint(now + 3600)}), "token_malformed"},
		"expires at null":                 {signed(`{"iss":"https://issuer.example/","aud":"api","sub":"alice","exp":null}`), "token_malformed"},
		"expires at the end of time":      {i.token(nil, claims{"exp": 1e300}), "token_malformed"},
		"expires before time":             {i.token(nil, claims{"exp": -1e300}), "token_malformed"},
		"expires beyond numbers":          {signed(strings.Replace(bodyText(""), `"exp":`, `"exp":1e999,"x":`, 1)), "token_malformed"},
		"not yet":                         {i.token(nil, claims{"nbf": now + 60}), "token_not_yet"},
		"not yet, in a text":              {i.token(nil, claims{"nbf": "0"}), "token_malformed"},
		"issued in the future":            {i.token(nil, claims{"iat": now + 86400}), "token_not_yet"},
		"issued in the far future":        {i.token(nil, claims{"iat": 1e15}), "token_malformed"},
		"wrong issuer":                    {i.token(nil, claims{"iss": "https://evil.example/"}), "token_issuer"},
		"issuer without the slash":        {i.token(nil, claims{"iss": "https://issuer.example"}), "token_issuer"},
		"issuer with more behind":         {i.token(nil, claims{"iss": "https://issuer.example/.evil.example"}), "token_issuer"},
		"both issuers":                    {i.token(nil, claims{"iss": "https://issuer.example/,https://second.example/"}), "token_issuer"},
		"list of issuers":                 {i.token(nil, claims{"iss": []string{"https://issuer.example/"}}), "token_malformed"},
		"issuer of null":                  {signed(strings.Replace(bodyText(""), `"https://issuer.example/"`, "null", 1)), "token_malformed"},
		"no issuer":                       {i.token(nil, claims{"iss": nil}), "token_issuer"},
		"wrong audience":                  {i.token(nil, claims{"aud": "other"}), "token_audience"},
		"wrong audiences":                 {i.token(nil, claims{"aud": []string{"other", "API", "api ", ""}}), "token_audience"},
		"audience that is the whole list": {i.token(nil, claims{"aud": "api,https://api.example/"}), "token_audience"},
		"any audience":                    {i.token(nil, claims{"aud": "*"}), "token_audience"},
		"no audience":                     {i.token(nil, claims{"aud": nil}), "token_malformed"},
		"empty audience":                  {i.token(nil, claims{"aud": ""}), "token_malformed"},
		"empty list of audiences":         {i.token(nil, claims{"aud": []string{}}), "token_malformed"},
		"audience that is an object":      {i.token(nil, claims{"aud": map[string]any{"api": 1}}), "token_malformed"},
		"audiences that are no texts":     {i.token(nil, claims{"aud": []any{"api", 1}}), "token_malformed"},
		"no subject":                      {i.token(nil, claims{"sub": nil}), "token_malformed"},
		"empty subject":                   {i.token(nil, claims{"sub": ""}), "token_malformed"},
		"subject that is a number":        {i.token(nil, claims{"sub": 1}), "token_malformed"},
		"subject that is very long":       {i.token(nil, claims{"sub": strings.Repeat("x", 256)}), "token_malformed"},
		"only claims of another case":     {signed(strings.ToUpper(bodyText(""))), "token_malformed"},

		// What a token looks like.
		"oversized":                      {i.token(nil, claims{"pad": strings.Repeat("x", 6000)}), "token_too_large"},
		"oversized rubbish":              {strings.Repeat("a", 1<<20), "token_too_large"},
		"oversized by dots":              {strings.Repeat(".", 8193), "token_too_large"},
		"dots":                           {strings.Repeat(".", 8192), "token_malformed"},
		"empty":                          {"", "token_malformed"},
		"one part":                       {head, "token_malformed"},
		"two parts":                      {head + "." + body, "token_malformed"},
		"four parts":                     {right + "." + signature, "token_malformed"},
		"five parts, as if encrypted":    {right + "." + head + "." + body, "token_malformed"},
		"empty parts":                    {"..", "token_malformed"},
		"in JSON":                        {`{"payload":"` + body + `"}`, "token_malformed"},
		"in quotes":                      {`"` + right + `"`, "token_malformed"},
		"a space in it":                  {head + ". " + body + "." + signature, "token_malformed"},
		"two tokens":                     {right + "," + right, "token_malformed"},
		"garbage":                        {"%%%.%%%.%%%", "token_malformed"},
		"garbage for a header":           {"AAAA." + body + "." + signature, "token_malformed"},
		"garbage for claims":             {head + ".AAAA." + signature, "token_malformed"},
		"padding":                        {head + "=." + body + "." + signature, "token_malformed"},
		"signature with padding":         {right + "==", "token_malformed"},
		"signature with stray bits":      {strayBits(right), "token_malformed"},
		"the other alphabet":             {head + "." + body + "." + "+/+/", "token_malformed"},
		"header of a list":               {rsaSigner().raw("RS256", `["RS256"]`, bodyText("")), "token_malformed"},
		"header of null":                 {rsaSigner().raw("RS256", `null`, bodyText("")), "token_algorithm"},
		"header with more behind":        {rsaSigner().raw("RS256", `{"alg":"RS256","kid":"rsa"}{}`, bodyText("")), "token_malformed"},
		"claims of null":                 {signed(`null`), "token_malformed"},
		"claims of a list":               {signed(`[]`), "token_malformed"},
		"claims of a text":               {signed(`"alice"`), "token_malformed"},
		"claims with more behind":        {signed(bodyText("") + "{}"), "token_malformed"},
		"claims cut":                     {signed(strings.TrimSuffix(bodyText(""), "}")), "token_malformed"},
		"no claims":                      {signed(`{}`), "token_malformed"},
		"a claim twice":                  {signed(bodyText(`,"sub":"root"`)), "token_malformed"},
		"a claim twice, escaped":         {signed(bodyText(`,"\u0073ub":"root"`)), "token_malformed"},
		"a claim twice, though the same": {signed(bodyText(`,"aud":"api"`)), "token_malformed"},
		"another's claim twice":          {signed(bodyText(`,"x":1,"x":2`)), "token_malformed"},
		"deep":                           {signed(bodyText(`,"x":` + strings.Repeat("[", 2500) + strings.Repeat("]", 2500))), ""},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			want := refused(attack.reason)
			if attack.reason == "" {
				want = by("jwt", "alice")
			}
			// Twice, as what is refused must not be remembered as right.
			d.want(t, want, "Authorization: Bearer "+attack.token)
			d.want(t, want, "Authorization: Bearer "+attack.token)
		})
	}
}

// derSignature is a token with the encoding of a signature that X.509 has.
func derSignature(s signer, body string) string {
	text := b64([]byte(`{"alg":"ES256","kid":"p256"}`)) + "." + body
	digest := sha256.Sum256([]byte(text))
	return text + "." + b64(must(s.private.Sign(rand.Reader, digest[:], crypto.SHA256)))
}

// paddedSignature makes the two numbers of a signature a byte longer each.
func paddedSignature(token string) string {
	dot := strings.LastIndexByte(token, '.')
	raw := must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
	half := len(raw) / 2
	return token[:dot+1] + b64(append(append(append([]byte{0}, raw[:half]...), 0), raw[half:]...))
}

// strayBits sets bits of the last character that mean nothing. 256 bytes end in a
// character of which two bits are of use.
func strayBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

func TestTokensForAnyAudience(t *testing.T) {
	i := newIssuer(t, p256Signer)
	cfg := i.config()
	cfg.Audience = policy.AuthNames{"*"}
	tokens := policy.NewTokens(cfg, nil)
	run(t, tokens)
	d := newDoor(authConfig(policy.AuthConfig{}), tokens)
	for _, audience := range []any{nil, "any", []string{"a", "b"}} {
		d.want(t, by("jwt", "alice"), "Authorization: Bearer "+i.token(nil, claims{"aud": audience}))
	}
	d.want(t, refused("token_issuer"), "Authorization: Bearer "+i.token(nil, claims{"iss": "x"}))
}

func TestIssuerIsDownAtTheStart(t *testing.T) {
	i := newIssuer(t, p256Signer)
	i.setDown(true)
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		d := newDoor(authConfig(policy.AuthConfig{APIKeys: apiKeyConfig().APIKeys}), tokens)
		token := "Authorization: Bearer " + i.token(nil, nil)
		got, w := d.try(t, "/", token)
		if got != refused("keys_unavailable") || w.Header().Get("Retry-After") != "5" || w.Header().Get("Www-Authenticate") != "" {
			t.Errorf("%+v %v", got, w.Header())
		}
		d.want(t, refused("token_malformed"), "Authorization: Bearer x") // whatever the keys are
		d.want(t, refused("token_algorithm"), "Authorization: Bearer "+i.token(header{"alg": "none"}, nil))
		d.want(t, by("api_key", "ci"), "X-API-Key: "+ciKey)
		i.setDown(false)
		time.Sleep(2 * time.Second)
		d.want(t, by("jwt", "alice"), token)
	})
}

func TestIssuerGoesDown(t *testing.T) {
	i := newIssuer(t, p256Signer)
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		d := newDoor(authConfig(policy.AuthConfig{}), tokens)
		bearer := func(h header) string {
			return "Authorization: Bearer " + i.token(h, claims{"exp": time.Now().Add(24 * time.Hour).Unix()})
		}
		old := bearer(nil)
		d.want(t, by("jwt", "alice"), old)
		i.setDown(true)
		time.Sleep(time.Hour) // AUTH_JWT_JWKS_STALE
		d.want(t, by("jwt", "alice"), old)
		d.want(t, by("jwt", "alice"), bearer(nil))
		d.want(t, refused("keys_unavailable"), bearer(header{"kid": "new"}))
		time.Sleep(15 * time.Minute)
		d.want(t, refused("keys_unavailable"), old) // also what is remembered
	})
}

func TestIssuerRotatesItsKeys(t *testing.T) {
	i := newIssuer(t, p256Signer)
	next := signer{"next", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		d := newDoor(authConfig(policy.AuthConfig{}), tokens)
		bearer := func(s signer) string { return "Authorization: Bearer " + s.token(nil, nil) }
		old := bearer(i.signer)
		d.want(t, by("jwt", "alice"), old)
		d.want(t, refused("token_unknown_key"), bearer(next))
		time.Sleep(jwks.Cooldown)
		i.publish(next.jwk(), i.signer.jwk())
		d.want(t, by("jwt", "alice"), bearer(next)) // at once
		d.want(t, by("jwt", "alice"), old)
		i.publish(next.jwk())
		time.Sleep(11 * time.Minute)
		d.want(t, by("jwt", "alice"), bearer(next))
		d.want(t, refused("token_unknown_key"), old) // though it is remembered
		if tokens.Verified() == 0 {
			t.Error("nothing is remembered")
		}
	})
}

// What is remembered of a token is its signature, not the time.
func TestRememberedTokensExpire(t *testing.T) {
	i := newIssuer(t, p256Signer)
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		d := newDoor(authConfig(policy.AuthConfig{}), tokens)
		token := "Authorization: Bearer " + i.token(nil, claims{"exp": time.Now().Add(time.Minute).Unix()})
		d.want(t, by("jwt", "alice"), token)
		time.Sleep(89 * time.Second)
		d.want(t, by("jwt", "alice"), token)
		if tokens.Verified() != 1 {
			t.Error("the token is not remembered")
		}
		time.Sleep(time.Second)
		d.want(t, refused("token_expired"), token)
	})
}

func TestUnknownKeysCauseOneFetch(t *testing.T) {
	i := newIssuer(t, p256Signer)
	synctest.Test(t, func(t *testing.T) {
		tokens := policy.NewTokens(i.config(), i)
		run(t, tokens)
		h := refusing(t, tokens, "token_unknown_key")
		synctest.Wait()
		time.Sleep(jwks.Cooldown)
		before := i.fetched()
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
				r.Header.Set("Authorization", "Bearer "+i.token(header{"kid": fmt.Sprint("made-up-", n)}, nil))
				h.ServeHTTP(httptest.NewRecorder(), identified(r))
			})
		}
		all.Wait()
		if n := i.fetched() - before; n != 1 {
			t.Errorf("100 unknown keys caused %d fetches, want 1", n)
		}
	})
}

// A server and a client: what goes over the wire, and what is refused there.
func TestTokensOverHTTP(t *testing.T) {
	i := newIssuer(t, edSigner)
	auth := policy.AuthWith(authConfig(policy.AuthConfig{}), i.tokens(t), func(w http.ResponseWriter, _ *http.Request, why fault.Refusal) {
		http.Error(w, why.Detail, why.Status)
	}, policy.Hooks{})
	server := httptest.NewServer(handler.Identify(handler.Origin{})(auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Auth-Principal"))
	}))))
	defer server.Close()
	for name, test := range map[string]struct {
		authorization, body string
		status              int
	}{
		"none":  {"", "Credentials are required.\n", http.StatusUnauthorized},
		"wrong": {"Bearer " + i.token(nil, claims{"aud": "other"}), "The token is for another audience.\n", http.StatusUnauthorized},
		"right": {"Bearer " + i.token(nil, claims{"sub": "auth0|5 ü"}), "auth0|5%20%C3%BC", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			r := must(http.NewRequestWithContext(t.Context(), "GET", server.URL, nil))
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			resp := must(server.Client().Do(r))
			defer resp.Body.Close()
			if body := must(io.ReadAll(resp.Body)); resp.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, body, test.status, test.body)
			}
		})
	}
}

// Only what the issuer signed lets in: whatever is done to a token, it is the one
// that it was or it is refused.
func FuzzTokens(f *testing.F) {
	i := newIssuer(f, p256Signer, edSigner)
	d := newDoor(authConfig(policy.AuthConfig{}), i.tokens(f))
	known := map[string]bool{}
	for _, token := range []string{i.token(nil, nil), edSigner().token(nil, nil), i.token(header{"kid": nil}, nil)} {
		known[token] = true
		f.Add(token)
	}
	f.Add(i.token(header{"alg": "none"}, nil))
	f.Add(hs256(nil, "p256"))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + token}
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, identified(r))
		if w.Code == http.StatusOK && !known[strings.Trim(token, " ")] {
			t.Errorf("%q let %+v in", token, d.told)
		}
	})
}

// Whatever an issuer signs, what is read of it is what encoding/json finds, or
// nothing.
func FuzzTokenClaims(f *testing.F) {
	i := newIssuer(f, edSigner)
	d := newDoor(authConfig(policy.AuthConfig{}), i.tokens(f))
	f.Add(`{"iss":"https://issuer.example/","aud":["api"],"sub":"alice","exp":253402300799}`)
	f.Add(`{"iss":"https://issuer.example/","aud":"api","sub":"a","exp":4e9,"nbf":1.5,"iat":0,"Sub":"b","sub":"c"}`)
	f.Add(` { "iss" : "https:\/\/issuer.example/" , "aud" : "api" , "sub" : "\u0061\ud800" , "exp" : 4000000000 } `)
	f.Fuzz(func(t *testing.T, text string) {
		token := edSigner().raw("EdDSA", `{"alg":"EdDSA"}`, text)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + token}
		w := httptest.NewRecorder()
		d.told = policy.Principal{}
		d.handler.ServeHTTP(w, identified(r))
		if w.Code != http.StatusOK {
			return
		}
		var c map[string]any
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%q is no JSON and let %+v in", text, d.told)
		}
		exp, _ := c["exp"].(float64)
		nbf, _ := c["nbf"].(float64)
		now := float64(time.Now().Unix())
		if c["sub"] != d.told.Name || c["sub"] == "" || c["iss"] != "https://issuer.example/" && c["iss"] != "https://second.example/" ||
			!strings.Contains(fmt.Sprint(c["aud"]), "api") || exp < now-40 || nbf > now+40 {
			t.Errorf("%q let %+v in", text, d.told)
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	for name, signer := range map[string]func() signer{"RS256": rsaSigner, "PS256": pssSigner, "ES256": p256Signer, "EdDSA": edSigner} {
		b.Run(name, func(b *testing.B) {
			i := newIssuer(b, signer)
			d := newDoor(authConfig(policy.AuthConfig{}), i.tokens(b))
			// More than are remembered, so that each signature is verified.
			tokens := make([]string, 1<<13)
			for n := range tokens {
				tokens[n] = "Bearer " + i.token(nil, claims{"jti": n})
			}
			r := identified(httptest.NewRequest("GET", "/", nil))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r.Header["Authorization"] = []string{tokens[n%len(tokens)]}
				n++
				d.handler.ServeHTTP(httptest.NewRecorder(), r)
				if d.rejected.Reason != "" {
					b.Fatal(d.rejected)
				}
			}
		})
	}
}
