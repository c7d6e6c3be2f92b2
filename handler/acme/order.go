package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mholt/acmez/v3/acme"

	"spangate/handler/clock"
)

// errProof is that the authority could not see a name to be ours in one way.
type errProof struct {
	way string
	error
}

func (e errProof) Unwrap() error { return e.error }

func (e errProof) Error() string { return e.way + ": " + e.error.Error() }

// order gets a certificate for e from the authority, and returns it with its text
// and how the name was proved. Where one way of proving fails another is tried, with
// an order of its own, as the first one is lost then.
func (c *Client) order(ctx context.Context, api *acme.Client, e *entry) (pair *tls.Certificate, text []byte, way string, err error) {
	var all []error
	for _, way := range c.ways(e) {
		pair, text, err := c.orderBy(ctx, api, e, way)
		if err == nil {
			e.way = way
			return pair, text, way, nil
		}
		all = append(all, err)
		if _, failed := errors.AsType[errProof](err); !failed || ctx.Err() != nil {
			break
		}
	}
	return nil, nil, "", errors.Join(all...)
}

// ways returns the types of challenges that can be answered, first what worked last
// time.
func (c *Client) ways(e *entry) []string {
	all := []string{acme.ChallengeTypeTLSALPN01}
	if c.plain {
		all = []string{acme.ChallengeTypeHTTP01, acme.ChallengeTypeTLSALPN01}
	}
	if i := slices.Index(all, e.way); i > 0 {
		all[0], all[i] = all[i], all[0]
	}
	return all
}

func (c *Client) orderBy(ctx context.Context, api *acme.Client, e *entry, way string) (*tls.Certificate, []byte, error) {
	account, err := c.account(ctx, api)
	if err != nil {
		return nil, nil, err
	}
	order, private, err := c.begin(ctx, api, account, e)
	if err != nil {
		return nil, nil, err
	}
	if order.Status == acme.StatusPending {
		for _, url := range order.Authorizations {
			if err := c.authorize(ctx, api, account, e, url, way); err != nil {
				return nil, nil, err
			}
		}
	}
	if order, err = c.finalize(ctx, api, account, order, e.name, private); err != nil {
		if refused(err) {
			c.store.Delete(ctx, key(orders, e.name)) // nothing will come of it
		}
		return nil, nil, fmt.Errorf("order: %w", err)
	}
	chains, err := api.GetCertificateChain(ctx, account, order.Certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	pair, text, err := issued(e.name, private, chains[0].ChainPEM)
	if err != nil {
		c.store.Delete(ctx, key(orders, e.name))
	}
	return pair, text, err
}

// refused reports whether err is an answer of the authority's that will not change.
func refused(err error) bool {
	problem, told := problemOf(err)
	return told && problem.Status < 500 && problem.Type != acme.ProblemTypeRateLimited
}

// problemOf returns what the authority said is the problem, if it did.
func problemOf(err error) (acme.Problem, bool) {
	if p, told := errors.AsType[*acme.Problem](err); told && p != nil {
		return *p, true
	}
	return errors.AsType[acme.Problem](err)
}

// underway is an order that has been placed, as the store keeps it.
type underway struct {
	Location string `json:"location"`
	Key      string `json:"key"` // of the certificate, in PEM
}

// begin returns an order for e, with the key of its certificate: one that was under
// way when a process ended, or a new one. It is kept before anything comes of it, so
// that no certificate is lost to a process that ends.
func (c *Client) begin(ctx context.Context, api *acme.Client, account acme.Account, e *entry) (acme.Order, *ecdsa.PrivateKey, error) {
	var kept underway
	if text, err := c.store.Get(ctx, key(orders, e.name)); err == nil && json.Unmarshal(text, &kept) == nil {
		private, err := decodeKey([]byte(kept.Key))
		if pair := e.current.Load(); err == nil && !(pair != nil && private.Equal(pair.PrivateKey)) {
			order, err := api.GetOrder(ctx, account, acme.Order{Location: kept.Location})
			if err == nil && order.Status != acme.StatusInvalid && ctx.Err() == nil {
				return order, private, nil
			}
		}
	}
	private, err := newKey()
	if err != nil {
		return acme.Order{}, nil, err
	}
	order, err := c.place(ctx, api, account, e)
	if err != nil {
		return order, nil, fmt.Errorf("order: %w", err)
	}
	text, err := encodeKey(private)
	if err != nil {
		return order, nil, err
	}
	text, err = json.Marshal(underway{order.Location, string(text)})
	if err == nil {
		if err = c.store.Put(ctx, key(orders, e.name), text); err != nil {
			err = storeError{err}
		}
	}
	return order, private, err
}

// place orders anew. The authority is told which certificate is to be replaced, if
// it understands that, and if it does not refuse the order for it: it may hold that
// certificate for replaced already, or not know it.
func (c *Client) place(ctx context.Context, api *acme.Client, account acme.Account, e *entry) (acme.Order, error) {
	wanted := acme.Order{Identifiers: []acme.Identifier{{Type: "dns", Value: string(e.name)}}, Profile: c.cfg.Profile}
	replacing := wanted
	if directory, err := api.GetDirectory(ctx); err == nil && directory.RenewalInfo != "" {
		if pair := e.current.Load(); pair != nil {
			replacing.Replaces, _ = acme.ARIUniqueIdentifier(pair.Leaf)
		}
	}
	order, err := api.NewOrder(ctx, account, replacing)
	if replacing.Replaces != "" && refused(err) {
		order, err = api.NewOrder(ctx, account, wanted)
	}
	return order, err
}

// authorize proves to the authority that e's name is ours.
func (c *Client) authorize(ctx context.Context, api *acme.Client, account acme.Account, e *entry, url, way string) error {
	authorization, err := api.GetAuthorization(ctx, account, url)
	if err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	if authorization.Status == acme.StatusValid {
		return nil
	}
	i := slices.IndexFunc(authorization.Challenges, func(offered acme.Challenge) bool { return offered.Type == way })
	if i < 0 || authorization.Status != acme.StatusPending {
		return errProof{way, fmt.Errorf("the authority does not offer it for an authorization that is %s", authorization.Status)}
	}
	defer c.withdraw(ctx, e)
	if err := c.present(ctx, e, authorization.Challenges[i]); err != nil {
		return err
	}
	if _, err := api.InitiateChallenge(ctx, account, authorization.Challenges[i]); err != nil {
		return fmt.Errorf("%s: %w", way, err)
	}
	authorization, err = api.PollAuthorization(ctx, account, authorization)
	if err != nil && authorization.Status == acme.StatusInvalid {
		return errProof{way, err}
	}
	return err
}

// finalize asks for the certificate and waits for it.
func (c *Client) finalize(ctx context.Context, api *acme.Client, account acme.Account, order acme.Order, name Name, key *ecdsa.PrivateKey) (acme.Order, error) {
	if order.Status == acme.StatusValid {
		return order, nil
	}
	var err error
	for order.Status == acme.StatusPending || order.Status == acme.StatusProcessing {
		if err := clock.Sleep(ctx, api.PollInterval); err != nil {
			return order, err
		}
		if order, err = api.GetOrder(ctx, account, order); err != nil {
			return order, err
		}
	}
	switch order.Status {
	case acme.StatusValid:
		return order, nil
	case acme.StatusReady:
		request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject: pkix.Name{}, DNSNames: []string{string(name)},
		}, key)
		if err != nil {
			return order, err
		}
		return api.FinalizeOrder(ctx, account, order, request)
	}
	if order.Error != nil {
		return order, *order.Error
	}
	return order, fmt.Errorf("it is %s", order.Status)
}
