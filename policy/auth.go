package policy

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/policy/jwks"
)

// authReason says why a request is not let in.
type authReason string

// The reasons. Those that begin with token are about a token's own faults;
// of its claims they are told only once its signature was found right.
const (
	reasonMissing     authReason = "missing"               // there are no credentials
	reasonMalformed   authReason = "malformed"             // there are, but they cannot be read
	reasonUnknownKey  authReason = "unknown_key"           // no API key is like this
	reasonPassword    authReason = "bad_password"          // or an unknown user
	reasonLong        authReason = "password_too_long"     // for bcrypt, which would not see its end
	reasonBusy        authReason = "busy"                  // too many passwords at once; 503
	reasonTooLarge    authReason = "token_too_large"       //
	reasonToken       authReason = "token_malformed"       // or it does not say what it has to
	reasonAlgorithm   authReason = "token_algorithm"       // its key is not for that one
	reasonTokenKey    authReason = "token_unknown_key"     //
	reasonSignature   authReason = "token_signature"       //
	reasonExpired     authReason = "token_expired"         //
	reasonNotYet      authReason = "token_not_yet"         // or issued in the future
	reasonIssuer      authReason = "token_issuer"          //
	reasonAudience    authReason = "token_audience"        //
	reasonUnavailable authReason = "keys_unavailable"      // nobody can tell; 503
	reasonCertName    authReason = "certificate_name"      // the client's has none of the kind asked for
	reasonWithdrawn   authReason = "certificate_withdrawn" // it would not be taken any more; 421
)

// details tell a client what it can do about it.
var authDetails = map[authReason]string{
	reasonMissing:     "Credentials are required.",
	reasonMalformed:   "The credentials cannot be read.",
	reasonUnknownKey:  "The API key is not known.",
	reasonPassword:    "The user or the password is wrong.",
	reasonLong:        "The password is longer than the 72 bytes that are looked at.",
	reasonBusy:        "Too many passwords are being checked at the moment.",
	reasonTooLarge:    "The token is too large.",
	reasonToken:       "The token is malformed.",
	reasonAlgorithm:   "The token is signed in a way that is not accepted.",
	reasonTokenKey:    "The token is signed with an unknown key.",
	reasonSignature:   "The token's signature is wrong.",
	reasonExpired:     "The token has expired.",
	reasonNotYet:      "The token is not valid yet.",
	reasonIssuer:      "The token is from another issuer.",
	reasonAudience:    "The token is for another audience.",
	reasonUnavailable: "The token cannot be verified at the moment.",
	reasonCertName:    "The client's certificate has no name of the kind that is asked for.",
	reasonWithdrawn:   "The certificate that the connection began with is not good any more.",
}

// Auth lets requests in whose credentials are right: a client's certificate, an API
// key, a user's password or a token, whatever is configured. A nil Auth lets in all.
// It is safe for concurrent use.
//
// One credential is enough, but none that could let in may be wrong, as a backend
// could take one that it finds for verified. When there are several, a certificate
// says which machine it is, an API key which program, and the other one who uses it:
// the last of these is the principal.
//
// What a client wrote into the fields that name the principal is removed, whether
// it writes - or _. An API key and a password are for
// this door and go no further; a token does, because much is in it that backends
// ask for. A request to an exempt path passes without a principal, whatever
// credentials it has.
//
// Refused requests get a 401 with a challenge for each method (RFC 9110 §11.6.1,
// RFC 6750 §3), or a 503 when it cannot be told whether they are right.
type Auth struct {
	keys   apiKeys        // nil: none
	users  *basicUsers    // nil: none
	tokens *tokenVerifier // nil: none
	certs  ClientCert     // "": none

	keyField, nameField, methodField string

	exempt ExemptPaths
	refuse Refuse
	hooks  Hooks
}

// NewAuth returns the door of cfg, or nil when that has nothing that lets in. It
// knows the keys of tokens once it runs, those that others of sources want fetched once
// for all.
func NewAuth(cfg AuthConfig, sources jwks.Sources, refuse Refuse, hooks Hooks) *Auth {
	if !cfg.configured() {
		return nil
	}
	var tokens *tokenVerifier
	if cfg.Token.JWKSURL != "" {
		tokens = newTokenVerifier(cfg.Token, sources.Source(cfg.Token.keys(nil)))
	}
	return newAuth(cfg, tokens, refuse, hooks)
}

func newAuth(cfg AuthConfig, tokens *tokenVerifier, refuse Refuse, hooks Hooks) *Auth {
	a := &Auth{
		tokens:      tokens,
		certs:       cfg.ClientCert,
		keyField:    http.CanonicalHeaderKey(string(cfg.APIKeyHeader)),
		nameField:   http.CanonicalHeaderKey(string(cfg.PrincipalHeader)),
		methodField: http.CanonicalHeaderKey(string(cfg.MethodHeader)),
		exempt:      cfg.ExemptPaths,
		refuse:      refuse,
		hooks:       hooks,
	}
	if cfg.APIKeys != "" {
		a.keys, _ = parseAPIKeys(cfg.APIKeys) // what is wrong in it lets nobody in
	}
	if cfg.BasicUsers != "" {
		a.users, _ = parseBasicUsers(cfg.BasicUsers)
	}
	return a
}

// Wrap returns next behind the door.
func (a *Auth) Wrap(next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.unname(r)
		if a.exempt.contain(r.URL) {
			a.takeOut(r)
		} else if !a.admit(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Run keeps the keys of tokens up to date until ctx is done, and then returns nil.
func (a *Auth) Run(ctx context.Context) error {
	if a == nil || a.tokens == nil {
		<-ctx.Done()
		return nil
	}
	a.tokens.keys.Run(ctx, a.hooks.Fetched)
	return nil
}

// admit reports whether r may go on, as whom it then says; else it is answered.
func (a *Auth) admit(w http.ResponseWriter, r *http.Request) bool {
	p, reason := a.authenticate(r)
	if reason != "" {
		a.answer(w, r, reason)
		return false
	}
	if a.nameField != "" {
		r.Header[a.nameField] = []string{fieldValue(p.Name)}
	}
	if a.methodField != "" {
		r.Header[a.methodField] = []string{p.Method}
	}
	if a.hooks.Authenticated != nil {
		a.hooks.Authenticated(r.Context(), p)
	}
	return true
}

// takeOut removes from r what is for this door only.
func (a *Auth) takeOut(r *http.Request) {
	if a.keys != nil {
		delete(r.Header, a.keyField)
	}
	if a.users != nil && len(r.Header["Authorization"]) > 0 {
		if scheme, _, ok := authorization(r.Header["Authorization"]); !ok || scheme == "basic" {
			delete(r.Header, "Authorization")
		}
	}
}

// authenticate returns whom r comes from, and takes out of it what is for this
// door only.
func (a *Auth) authenticate(r *http.Request) (p Principal, reason authReason) {
	reason = reasonMissing
	if a.certs != "" {
		shown, wrong, presented := a.certs.verify(r.TLS)
		if wrong != "" {
			return p, wrong
		}
		if presented {
			p, reason = shown, ""
		}
	}
	if lines := r.Header[a.keyField]; a.keys != nil && len(lines) > 0 {
		if p, reason = a.keys.verify(lines); reason != "" {
			return p, reason
		}
		delete(r.Header, a.keyField)
	}
	if lines := r.Header["Authorization"]; (a.users != nil || a.tokens != nil) && len(lines) > 0 {
		scheme, credentials, ok := authorization(lines)
		switch {
		case !ok:
			return p, reasonMalformed
		case a.users != nil && scheme == "basic":
			if p, reason = a.users.verify(r.Context(), handler.ClientOf(r).Addr, credentials); reason == "" {
				delete(r.Header, "Authorization")
			}
		case a.tokens != nil && scheme == "bearer":
			p, reason = a.tokens.verify(r.Context(), credentials)
		}
	}
	return p, reason
}

// authorization splits the Authorization field (RFC 9110 §11.6.2) into a scheme
// in small letters and what it makes of the rest. What is not exactly that is not
// ok, as others could find another scheme in it.
func authorization(lines []string) (scheme, credentials string, ok bool) {
	if len(lines) != 1 {
		return "", "", false
	}
	scheme, credentials, _ = strings.Cut(lines[0], " ")
	scheme = strings.ToLower(scheme)
	isToken := scheme != "" && !strings.ContainsFunc(scheme, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
	return scheme, strings.Trim(credentials, " "), isToken
}

// answer refuses r.
func (a *Auth) answer(w http.ResponseWriter, r *http.Request, reason authReason) {
	why := fault.Refusal{Policy: "auth", Reason: string(reason), Status: http.StatusUnauthorized, Detail: authDetails[reason]}
	answer := handler.AnswerOf(r)
	switch reason {
	case reasonBusy, reasonUnavailable:
		why.Status = http.StatusServiceUnavailable
		wait := 1
		if reason == reasonUnavailable {
			wait = int(jwks.Cooldown.Seconds())
		} else {
			why.Type = fault.Overloaded
		}
		answer.Set("Retry-After", strconv.Itoa(wait))
	default:
		answer.Set("Www-Authenticate", a.challenges(reason)...)
	}
	a.refuse(w, r, why)
}

// challenges are a line for each method. There is no scheme for API keys, nor for
// certificates, and a 401 without a challenge is none (RFC 9110 §15.5.2): ApiKey is
// what others call it, and ClientCertificate says what to come with.
func (a *Auth) challenges(reason authReason) (lines []string) {
	if a.tokens != nil {
		line := `Bearer realm="spangate"`
		if strings.HasPrefix(string(reason), "token_") {
			line += fmt.Sprintf(`, error="invalid_token", error_description=%q`, authDetails[reason])
		}
		lines = append(lines, line)
	}
	if a.users != nil {
		lines = append(lines, `Basic realm="spangate", charset="UTF-8"`)
	}
	if a.keys != nil {
		lines = append(lines, fmt.Sprintf(`ApiKey realm="spangate", header=%q`, a.keyField))
	}
	if a.certs != "" {
		lines = append(lines, `ClientCertificate realm="spangate"`)
	}
	return lines
}

// unname removes from r whatever names a principal.
func (a *Auth) unname(r *http.Request) {
	for name := range r.Header {
		if a.names(name) {
			delete(r.Header, name)
		}
	}
}

// names reports whether a field of that name would be taken for one that names
// the principal.
func (a *Auth) names(name string) bool {
	name = field.Canonical(name)
	return name == a.nameField || name == a.methodField
}
