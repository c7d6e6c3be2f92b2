package certificate_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ocsp"

	"spangate/handler/certificate"
	"spangate/handler/certificate/certtest"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	one, other := ca.Issue(t, x509.Certificate{}), ca.Issue(t, x509.Certificate{})
	for name, test := range map[string]struct {
		certificate, key []byte // no key: in the same file
		want             string // of the error, behind the file's name
	}{
		"two files":           {certificate: one.Certificate, key: one.Key},
		"one file":            {certificate: append(one.Certificate, one.Key...)},
		"another's key":       {certificate: one.Certificate, key: other.Key, want: "private key does not match public key"},
		"half a chain":        {certificate: append(slices.Clone(one.Certificate), other.Certificate[:len(other.Certificate)/2]...), key: one.Key, want: "certificate 2 is not whole"},
		"a chain on one line": {certificate: append(bytes.TrimSpace(one.Certificate), other.Certificate...), key: one.Key, want: "certificate 1 is not whole"},
		"a half":              {certificate: one.Certificate[:len(one.Certificate)/2], key: one.Key, want: "certificate 1 is not whole"},
		"an empty file":       {certificate: nil, key: one.Key, want: "holds no PEM certificate"},
		"half a key":          {certificate: one.Certificate, key: one.Key[:20], want: "failed to find any PEM data in key input"},
		"no key":              {certificate: one.Certificate, want: "found a certificate rather than a key in the PEM for the private key"},
		"a key in between":    {certificate: append(one.Key, one.Certificate...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair := certtest.Pair{Certificate: test.certificate, Key: test.key}
			file, key := pair.Files(t)
			if test.key == nil {
				key = ""
			}
			got, err := certificate.Load(file, key)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error is %v", err)
			case test.want == "" && got.Leaf == nil:
				t.Error("the leaf is not there")
			case test.want != "" && (err == nil || err.Error() != file+": "+test.want):
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
	if _, err := certificate.Load(filepath.Join(t.TempDir(), "none"), ""); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("of no file the error is %v", err)
	}
}

func TestStaple(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	pair := ca.Issue(t, x509.Certificate{})
	chain := append(pair.Certificate, read(t, ca.File)...)
	file, key := certtest.Pair{Certificate: chain, Key: pair.Key}.Files(t)
	leaf := pair.TLS(t).Leaf
	response := func(of *x509.Certificate, signer crypto.Signer, until time.Time) []byte {
		der, err := ocsp.CreateResponse(ca.Leaf, ca.Leaf, ocsp.Response{
			Status: ocsp.Good, SerialNumber: of.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: until,
		}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	later := time.Now().Add(time.Hour)
	good := response(leaf, ca.Key, later)
	for name, test := range map[string]struct {
		staple  []byte
		shown   bool
		refused bool
	}{
		"none":           {},
		"good":           {staple: good, shown: true},
		"expired":        {staple: response(leaf, ca.Key, time.Now().Add(-time.Minute))},
		"half":           {staple: good[:len(good)/2], refused: true},
		"of another one": {staple: response(ca.Issue(t, x509.Certificate{}).TLS(t).Leaf, ca.Key, later)},
		"of a stranger":  {staple: response(leaf, certtest.New(t).Key, later), refused: true},
	} {
		os.Remove(certificate.Staple(file))
		if test.staple != nil {
			certtest.Write(t, certificate.Staple(file), test.staple)
		}
		got, err := certificate.Load(file, key)
		if (err != nil) != test.refused {
			t.Errorf("%s: error is %v", name, err)
		}
		if test.refused && !strings.HasPrefix(err.Error(), certificate.Staple(file)) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
		if test.refused {
			continue
		}
		shown := certificate.NewSet([]tls.Certificate{got}).Any(&tls.ClientHelloInfo{})
		if (shown.OCSPStaple != nil) != test.shown {
			t.Errorf("%s: stapled: %v", name, shown.OCSPStaple != nil)
		}
	}
}

// A staple is shown for as long as it holds, though nobody reads its file again.
func TestStapleThatExpires(t *testing.T) {
	ca := certtest.New(t)
	synctest.Test(t, func(t *testing.T) {
		pair := ca.Issue(t, x509.Certificate{}).TLS(t)
		der, err := ocsp.CreateResponse(ca.Leaf, ca.Leaf, ocsp.Response{
			Status: ocsp.Good, SerialNumber: pair.Leaf.SerialNumber, ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		}, ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		pair.OCSPStaple = der
		set := certificate.NewSet([]tls.Certificate{pair})
		stapled := func() bool {
			return set.For(&tls.ClientHelloInfo{ServerName: "localhost"}).OCSPStaple != nil
		}
		time.Sleep(time.Hour - time.Second)
		if !stapled() {
			t.Error("it is left out before its end")
		}
		time.Sleep(2 * time.Second)
		if stapled() {
			t.Error("it is shown after its end")
		}
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	var pairs []tls.Certificate
	for _, names := range [][]string{{"first.test"}, {"a.test", "b.test"}, {"*.wild.test"}, {"one.wild.test"}, {"UPPER.test"}} {
		pairs = append(pairs, ca.Issue(t, x509.Certificate{DNSNames: names}).TLS(t))
	}
	pairs = append(pairs, ca.Issue(t, x509.Certificate{DNSNames: []string{}, Subject: pkix.Name{CommonName: "common.test"}}).TLS(t))
	set := certificate.NewSet(pairs)
	got := map[string]string{}
	for _, name := range []string{"", "first.test", "a.test", "b.test", "B.TEST", "a.test.", "x.wild.test", "one.wild.test", "x.y.wild.test", "wild.test", "upper.test", "common.test", "unknown.test", "127.0.0.1"} {
		hello := &tls.ClientHelloInfo{ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}}
		if found := set.For(hello); found != nil {
			got[name] = certificate.Of(found.Leaf).Name
		}
		if fallback := set.Any(hello); fallback != &pairs[0] {
			t.Errorf("for %q the last resort is %v", name, fallback.Leaf.DNSNames)
		}
	}
	want := map[string]string{
		"first.test": "first.test", "a.test": "a.test", "b.test": "a.test", "B.TEST": "a.test", "a.test.": "a.test",
		"x.wild.test": "*.wild.test", "one.wild.test": "one.wild.test", "upper.test": "UPPER.test", "common.test": "common.test",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

// Among several for one name a client gets one that it can verify.
func TestSetByWhatClientsVerify(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	set := certificate.NewSet([]tls.Certificate{
		ca.IssueRSA(t, x509.Certificate{}).TLS(t), ca.Issue(t, x509.Certificate{}).TLS(t),
	})
	for scheme, want := range map[tls.SignatureScheme]x509.PublicKeyAlgorithm{tls.ECDSAWithP256AndSHA256: x509.ECDSA, tls.PSSWithSHA256: x509.RSA} {
		hello := &tls.ClientHelloInfo{ServerName: "localhost", SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{scheme}}
		if got := set.For(hello).Leaf.PublicKeyAlgorithm; got != want {
			t.Errorf("for %v the key is %v, want %v", scheme, got, want)
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for want, template := range map[string]x509.Certificate{
		"a.test":    {DNSNames: []string{"a.test", "b.test"}, Subject: pkix.Name{CommonName: "c"}},
		"localhost": {},
		"c":         {URIs: certtest.URI(t, "spiffe://a/b"), Subject: pkix.Name{CommonName: "c"}},
	} {
		template.NotAfter = end
		got := certificate.Of(ca.Issue(t, template).TLS(t).Leaf)
		if got.Name != want || got.Issuer != "CN=an authority for tests" || !got.NotAfter.Equal(end) || len(got.Fingerprint) != 64 {
			t.Errorf("of %q there is to know %+v", want, got)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestExpiresSoon(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		lifetime, left time.Duration
		want           bool
	}{
		"a year, 15 days left":       {365 * 24 * time.Hour, 15 * 24 * time.Hour, false},
		"a year, 13 days left":       {365 * 24 * time.Hour, 13 * 24 * time.Hour, true},
		"a year, an hour too late":   {365 * 24 * time.Hour, -time.Hour, true},
		"six days, three left":       {6 * 24 * time.Hour, 3 * 24 * time.Hour, false},
		"six days, a day left":       {6 * 24 * time.Hour, 24 * time.Hour, true},
		"an hour, half an hour left": {time.Hour, 30 * time.Minute, false},
		"an hour, too late":          {time.Hour, -time.Second, true},
	} {
		end := now.Add(test.left)
		if got := (certificate.Info{NotBefore: end.Add(-test.lifetime), NotAfter: end}).ExpiresSoon(now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
