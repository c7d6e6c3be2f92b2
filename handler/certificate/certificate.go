// Package certificate answers: which certificate is shown to whom, and until when?
package certificate

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"spangate/handler/reload"
)

// Info is what people want to know of a certificate that is shown.
type Info struct {
	Name        string    `json:"name"` // the first of Names, or who it is of
	Names       []string  `json:"names,omitempty"`
	Issuer      string    `json:"issuer"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Fingerprint string    `json:"sha256"`
}

// Of returns what there is to know of c.
func Of(c *x509.Certificate) Info {
	sum := sha256.Sum256(c.Raw)
	i := Info{Names: c.DNSNames, Issuer: c.Issuer.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter, Fingerprint: hex.EncodeToString(sum[:])}
	for _, addr := range c.IPAddresses {
		i.Names = append(i.Names, addr.String())
	}
	if i.Name = c.Subject.CommonName; len(i.Names) > 0 {
		i.Name = i.Names[0]
	}
	return i
}

// soon is how long before its end a certificate should have been replaced.
const soon = 14 * 24 * time.Hour

// ExpiresSoon reports whether the certificate has expired at that time or will within
// 14 days; one that is made for a short time, within a third of that.
func (i Info) ExpiresSoon(now time.Time) bool {
	return i.NotAfter.Sub(now) < min(soon, i.NotAfter.Sub(i.NotBefore)/3)
}

// Load returns the certificate in a PEM file, with the chain behind it, and its key,
// which may be in that same file: key is empty then. What an authority says of it
// (RFC 6960) is shown along with it where that is, in DER, in a file beside it, see
// [Staple]. Errors name the file.
func Load(file, key string) (tls.Certificate, error) {
	chain, err := reload.Read(file)
	if err != nil {
		return tls.Certificate{}, err
	}
	secret := chain
	if key != "" {
		if secret, err = reload.Read(key); err != nil {
			return tls.Certificate{}, err
		}
	}
	if err := whole(chain); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", file, err)
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", file, explained(err, chain))
	}
	return pair, staple(&pair, Staple(file))
}

// whole returns an error where a certificate begins and cannot be read, because the
// file is not written to its end, or a line is missing between two. crypto/tls passes
// over it, and clients would lack a link of the chain.
func whole(chain []byte) error {
	const begin = "-----BEGIN CERTIFICATE-----"
	n := 0
	for block, rest := pem.Decode(chain); ; block, rest = pem.Decode(rest) {
		if block == nil {
			break
		}
		if read := chain[:len(chain)-len(rest)]; block.Type == "CERTIFICATE" {
			if n++; bytes.Count(read, []byte(begin)) > n {
				return fmt.Errorf("certificate %d is not whole", n)
			}
		}
	}
	if bytes.Count(chain, []byte(begin)) > n {
		return fmt.Errorf("certificate %d is not whole", n+1)
	}
	return nil
}

// LoadAfter is [Load] of files of which one has changed. Where they cannot be used, or
// now hold a certificate that has expired, it returns the earlier one along with the
// error, but not for a staple alone: the new one is shown without. The zero value is no
// earlier one, and takes what has expired.
func LoadAfter(earlier tls.Certificate, file, key string) (tls.Certificate, error) {
	pair, err := Load(file, key)
	if _, ofStaple := errors.AsType[stapleError](err); ofStaple && expired(file, pair.Leaf) == nil {
		return pair, err
	}
	if err == nil && earlier.Leaf != nil && !pair.Leaf.Equal(earlier.Leaf) {
		err = expired(file, pair.Leaf)
	}
	if err != nil {
		return earlier, err
	}
	return pair, nil
}

// explained returns err, of a pair, without the package's name, or what is more
// to the point.
func explained(err error, chain []byte) error {
	if block, _ := pem.Decode(chain); block == nil {
		return errors.New("holds no PEM certificate")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
}

// Staple returns the file that may have the response of the authority's OCSP
// service about the certificate in file: FILE.ocsp, as HAProxy calls it.
func Staple(file string) string { return file + ".ocsp" }

// otherCertificate is the error of a response that is about another certificate.
const otherCertificate = ocsp.ParseError("no response matching the supplied certificate")

// staple adds the response in file to pair. One that is not there, or is about the
// certificate that was there before, is left out: clients take a certificate without,
// and none is kept from them for what is renewed after it.
func staple(pair *tls.Certificate, file string) error {
	der, err := reload.Read(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var issuer *x509.Certificate
	if len(pair.Certificate) > 1 {
		if issuer, err = x509.ParseCertificate(pair.Certificate[1]); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	_, err = ocsp.ParseResponseForCert(der, pair.Leaf, issuer)
	if err == otherCertificate {
		return nil
	}
	if err != nil {
		return stapleError{fmt.Errorf("%s: %w", file, err)}
	}
	pair.OCSPStaple = der
	return nil
}

// stapleError is a fault of a staple, with which the certificate itself is right.
type stapleError struct{ error }

// expired returns an error when c, of file, has expired.
func expired(file string, c *x509.Certificate) error {
	if time.Now().After(c.NotAfter) {
		return fmt.Errorf("%s: has expired on %s", file, c.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// Authorities returns those whose certificates are in a PEM file. Errors name it.
func Authorities(file string) (*x509.CertPool, error) {
	content, err := reload.Read(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s: holds no PEM certificate", file)
	}
	return pool, nil
}
