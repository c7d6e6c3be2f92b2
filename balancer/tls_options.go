package balancer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"spangate/handler/config"
)

// tlsOptions are what a member's options say of TLS. An option is called like the
// variable BACKEND_… that it stands in for at this member, where there is one; one
// that is empty leaves that in force.
type tlsOptions struct {
	serverName   ServerName
	caFile       string
	certFile     string
	keyFile      string
	fingerprints []fingerprint // of the certificates that are believed, whoever signed them; one may follow another
	verify       string        // off: any certificate is believed
}

const (
	verifyOn  = "on"
	verifyOff = "off"
)

// parse takes one option. Its error is errNoOption for one that is not of TLS.
func (o *tlsOptions) parse(key, value string) error {
	var path *string
	switch key {
	case "server-name":
		if err := o.serverName.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("server-name %q %w", value, err)
		}
		return nil
	case "fingerprint":
		sum, err := parseFingerprint(value)
		if err != nil {
			return fmt.Errorf("fingerprint %q %w", value, err)
		}
		o.fingerprints = append(o.fingerprints, sum)
		return nil
	case "tls-verify":
		if err := config.OneOf(&o.verify, []byte(value), verifyOff, verifyOn); err != nil {
			return fmt.Errorf("tls-verify %q %w", value, err)
		}
		return nil
	case "ca-file":
		path = &o.caFile
	case "cert-file":
		path = &o.certFile
	case "key-file":
		path = &o.keyFile
	default:
		return errNoOption
	}
	if *path = value; value == "" {
		return fmt.Errorf("%s must name a file", key)
	}
	return nil
}

// check returns what is wrong with options that are right by themselves.
func (o *tlsOptions) check(scheme string) error {
	var wrong []error
	given := o.given()
	if scheme != "https" {
		for _, option := range given {
			key, _, _ := strings.Cut(option, "=")
			wrong = append(wrong, fmt.Errorf("%s is for https alone", key))
		}
		return errors.Join(wrong...)
	}
	if o.keyFile != "" && o.certFile == "" {
		wrong = append(wrong, errors.New("key-file needs cert-file"))
	}
	if len(o.fingerprints) > 0 {
		if o.caFile != "" {
			wrong = append(wrong, errors.New("ca-file is of no use with fingerprint, which says by itself which certificate is believed"))
		}
		if o.verify != "" {
			wrong = append(wrong, errors.New("tls-verify is of no use with fingerprint, which is what is verified"))
		}
	}
	if o.verify == verifyOff && o.caFile != "" {
		wrong = append(wrong, errors.New("ca-file is of no use with tls-verify=off"))
	}
	return errors.Join(wrong...)
}

// given returns the options as they may be written.
func (o *tlsOptions) given() (all []string) {
	add := func(key, value string) {
		if value != "" {
			all = append(all, key+"="+value)
		}
	}
	add("server-name", string(o.serverName))
	add("ca-file", o.caFile)
	add("cert-file", o.certFile)
	add("key-file", o.keyFile)
	for _, sum := range o.fingerprints {
		add("fingerprint", sum.String())
	}
	add("tls-verify", o.verify)
	return all
}

func (o *tlsOptions) append(b []byte) []byte {
	for _, option := range o.given() {
		b = append(append(b, ';'), option...)
	}
	return b
}

// ServerName is a name, or an address, that a backend's certificate must be for. A
// name is sent along (RFC 6066 §3). Empty stands for the host of the backend's URL.
type ServerName string

// UnmarshalText parses a name.
func (n *ServerName) UnmarshalText(text []byte) error {
	name := strings.TrimSuffix(string(text), ".")
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		*n = ServerName(addr.WithZone("").String())
		return nil
	}
	if !isTarget(strings.ToLower(name)) || strings.Trim(name, "0123456789.") == "" {
		return errors.New("must be the name of a server as certificates have it, such as app.internal, or an address")
	}
	*n = ServerName(name)
	return nil
}

// fingerprint is the SHA-256 of a certificate.
type fingerprint [sha256.Size]byte

const fingerprintPrefix = "sha256:"

func (f fingerprint) String() string { return fingerprintPrefix + hex.EncodeToString(f[:]) }

// parseFingerprint reads one with colons between its bytes, as openssl writes it, or
// without.
func parseFingerprint(text string) (f fingerprint, err error) {
	digits, found := strings.CutPrefix(text, fingerprintPrefix)
	digits = strings.ReplaceAll(digits, ":", "")
	if n, derr := hex.Decode(f[:], []byte(digits[:min(len(digits), 2*len(f))])); !found || derr != nil || n != len(f) || len(digits) != 2*len(f) {
		return f, fmt.Errorf("must be %s and the %d hexadecimal digits of a certificate's SHA-256", fingerprintPrefix, 2*len(f))
	}
	return f, nil
}
