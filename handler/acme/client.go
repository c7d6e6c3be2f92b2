package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"spangate/handler/certificate"
	"spangate/handler/clock"
	"spangate/handler/fault"
	"spangate/handler/supervise"
)

// Client keeps certificates for the configured names. It is safe for concurrent
// use; [Client.Run] does the work.
type Client struct {
	cfg       Config
	plain     bool
	hooks     Hooks // of Run
	store     folder
	transport http.RoundTripper
	turns     chan struct{} // holds one for each order that is being worked on
	names     map[Name]*entry
	listed    []*entry // as configured

	mu         sync.Mutex
	registered *acme.Account // nil: the authority is to be asked
}

// atOnce is how many orders are worked on at the same time.
const atOnce = 4

// Hooks tell what happens. Those that are nil are silent.
type Hooks struct {
	// Ordered is told of an order that has ended, well or not.
	Ordered func(Order)
	// Loaded is told of a certificate that was found in the store, where an earlier
	// process put it, or another instance.
	Loaded func(certificate.Info)
	// State is told of what the store cannot give or take, or holds in a way that
	// makes no sense, which then is made anew.
	State func(key string, err error)
}

func (h Hooks) state(key string, err error) {
	if h.State != nil {
		h.State(key, err)
	}
}

// Order is one that has ended.
type Order struct {
	Name         string
	Renewal      bool   // there was a certificate
	Challenge    string // by which the name was proved; empty when it failed
	Began, Ended time.Time
	Certificate  certificate.Info // when Err is nil
	Err          error
	Next         time.Time // when Err is not nil: not before then there is another
}

// ErrorType returns the value of the error.type attribute, empty for none: the
// token of an ACME problem (RFC 8555, section 6.7), or what the failure of the
// network or of the store is called.
func (o Order) ErrorType() string {
	if o.Err == nil {
		return ""
	}
	if _, is := errors.AsType[storeError](o.Err); is {
		return "store_error"
	}
	if problem, told := problemOf(o.Err); told {
		if token, is := strings.CutPrefix(problem.Type, acme.ProblemTypeNamespace); is && slices.Contains(problems, token) {
			return token
		}
		return "_OTHER"
	}
	return string(fault.Of(context.Background(), o.Err).Type)
}

// problems are the tokens that a metric may have as a value.
var problems = []string{
	"accountDoesNotExist", "alreadyReplaced", "badCSR", "badNonce", "badPublicKey", "badSignatureAlgorithm", "caa", "compound", "connection", "dns",
	"externalAccountRequired", "incorrectResponse", "invalidContact", "malformed", "orderNotReady", "rateLimited", "rejectedIdentifier",
	"serverInternal", "tls", "unauthorized", "unsupportedContact", "unsupportedIdentifier", "userActionRequired",
}

// entry is all about one name. What has no lock is for the goroutine of Run that
// keeps it.
type entry struct {
	name    Name
	current atomic.Pointer[tls.Certificate] // what clients are shown; nil: nothing yet
	failed  atomic.Pointer[failures]        // nil: none
	desk    desk

	text    []byte    // of certificate, as the store has it
	unsaved bool      // the store has not got it yet
	kept    bool      // the store has got failed
	renew   time.Time // when to order anew
	spaced  time.Time // not before, whatever the certificate and the authority say
	askAt   time.Time // when to ask the authority about that
	window  acme.RenewalInfo
	way     string // what proved the name last time
	trouble string // with the store, that was told
}

// New returns a client for the names of cfg, with the certificates that are in the
// store. plain says that requests by plain HTTP reach [Client.Challenges], so that
// HTTP-01 is possible. It fails when nothing can be kept in the directory; the
// authority is not asked. Its error lacks the names of variables.
func New(cfg *Config, plain bool) (*Client, error) {
	store, err := cfg.open()
	if err != nil {
		return nil, err
	}
	return newClient(cfg, store, plain)
}

func newClient(cfg *Config, store Store, plain bool) (*Client, error) {
	transport, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: *cfg, plain: plain, store: folderOf(store, cfg.CA), transport: transport,
		turns: make(chan struct{}, atOnce), names: map[Name]*entry{},
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	for _, name := range cfg.Domains {
		if c.names[name] != nil {
			continue // listed twice
		}
		e := &entry{name: name, desk: desk{own: make(chan struct{}, 1)}}
		c.names[name] = e
		c.listed = append(c.listed, e)
		c.look(ctx, e)
		if f := e.failed.Load(); f != nil {
			anew := f.anew(cfg.RetryAfter)
			e.failed.Store(&anew)
		}
	}
	return c, nil
}

// Certificates returns what there is to know of those that clients are shown, in
// the order of the configuration, without names that have none yet.
func (c *Client) Certificates() (all []certificate.Info) {
	for _, e := range c.listed {
		if pair := e.current.Load(); pair != nil {
			all = append(all, certificate.Of(pair.Leaf))
		}
	}
	return all
}

// For returns the certificate for the name that a client asks for, also when it has
// expired: nothing better is to be had. It does not wait: for a name whose first
// certificate has not come yet it fails, and says why. For names that are not
// configured it returns nil.
func (c *Client) For(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if e := c.names[named(hello.ServerName)]; e != nil {
		return e.shown()
	}
	return nil, nil
}

// Any returns the certificate for clients that ask for no name, or for one that
// nobody has: that of the first name, as For does.
func (c *Client) Any() (*tls.Certificate, error) { return c.listed[0].shown() }

func (e *entry) shown() (*tls.Certificate, error) {
	if pair := e.current.Load(); pair != nil {
		return pair, nil
	}
	if f := e.failed.Load(); f != nil {
		return nil, fmt.Errorf("%w for %s: %s", fault.ErrNotIssued, e.name, f.Error)
	}
	return nil, fmt.Errorf("%w for %s", fault.ErrNotIssued, e.name)
}

// Run orders and renews certificates until ctx is done, and then returns nil. It
// tells hooks also what was found in the store before.
func (c *Client) Run(ctx context.Context, hooks Hooks) error {
	c.hooks = hooks
	var all []func(context.Context) error
	for _, e := range c.listed {
		e.trouble = ""
		if pair := e.current.Load(); pair != nil && hooks.Loaded != nil {
			hooks.Loaded(certificate.Of(pair.Leaf))
		}
		all = append(all, func(ctx context.Context) error { return c.keep(ctx, e) })
	}
	return supervise.All(ctx, all...)
}

// keep keeps the certificate of one name.
func (c *Client) keep(ctx context.Context, e *entry) error {
	for {
		c.ask(ctx, e)
		wait := time.Until(e.due())
		if pair := e.current.Load(); pair != nil {
			wait = min(wait, time.Until(e.askAt), max(lifetime(pair.Leaf)/20, time.Second))
		}
		// To see what others have put into the store.
		if err := clock.Sleep(ctx, min(wait, time.Minute)); err != nil {
			return err
		}
		c.save(ctx, e)
		c.look(ctx, e)
		if !time.Now().Before(e.due()) {
			c.attempt(ctx, e)
		}
	}
}

// due returns when there is to be an order.
func (e *entry) due() (at time.Time) {
	if e.current.Load() != nil {
		at = e.renew
	}
	if e.spaced.After(at) {
		at = e.spaced
	}
	if f := e.failed.Load(); f != nil && f.Next.After(at) {
		at = f.Next
	}
	return at
}

// attempt orders a certificate, unless another instance has got one meanwhile, or
// has found that the authority gives none.
func (c *Client) attempt(ctx context.Context, e *entry) {
	bounded, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	var told *Order
	err := c.store.Locked(bounded, string(e.name), func(bounded context.Context) error {
		c.look(bounded, e)
		if time.Now().Before(e.due()) {
			return nil
		}
		select {
		case c.turns <- struct{}{}:
			defer func() { <-c.turns }()
		case <-bounded.Done():
			return bounded.Err()
		}
		told = &Order{Name: string(e.name), Renewal: e.current.Load() != nil, Began: time.Now()}
		api, talk := c.converse()
		pair, text, way, err := c.order(bounded, api, e)
		told.Ended = time.Now()
		if ctx.Err() != nil && err != nil {
			told = nil // we are to end: the next process goes on
			return nil
		}
		if err != nil {
			c.forgetAccount()
			told.Err, told.Next = err, c.fail(bounded, e, err, talk.told())
			return nil
		}
		e.text, e.unsaved, told.Challenge = text, true, way
		c.adopt(e, pair)
		e.spaced = time.Now().Add(spacing(pair.Leaf))
		told.Certificate = certificate.Of(pair.Leaf)
		c.save(bounded, e)
		return nil
	})
	if err != nil && ctx.Err() == nil { // the lock was not to be had
		told = &Order{Name: string(e.name), Renewal: e.current.Load() != nil, Began: time.Now(), Ended: time.Now(), Err: err}
		told.Next = c.fail(ctx, e, err, time.Time{})
	}
	if told != nil && c.hooks.Ordered != nil {
		c.hooks.Ordered(*told)
	}
}

// fail notes a failure, for all instances, and returns when to try again.
func (c *Client) fail(ctx context.Context, e *entry, err error, told time.Time) time.Time {
	var f failures
	if last := e.failed.Load(); last != nil {
		f = *last
	}
	var leaf *x509.Certificate
	if pair := e.current.Load(); pair != nil {
		leaf = pair.Leaf
	}
	if _, ours := errors.AsType[storeError](err); ours {
		f.Count = 0 // there is nobody who might be asked too often
	}
	f.add(err, c.cfg.RetryAfter, patience(leaf), told)
	e.failed.Store(&f)
	if text, err := json.Marshal(f); err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		e.kept = c.store.Put(ctx, key(attempts, e.name), text) == nil // else other instances find out for themselves
	}
	return f.Next
}

// adopt shows a certificate to clients from now on.
func (c *Client) adopt(e *entry, pair *tls.Certificate) {
	e.current.Store(pair)
	e.failed.Store(nil)
	e.renew, e.askAt, e.window = ownTime(pair.Leaf), time.Time{}, acme.RenewalInfo{}
}

// save puts a certificate into the store that is not there yet.
func (c *Client) save(ctx context.Context, e *entry) {
	if !e.unsaved {
		return
	}
	where := key(certificates, e.name)
	err := c.store.Put(ctx, where, e.text)
	if err == nil {
		e.unsaved = false
		err = errors.Join(c.store.Delete(ctx, key(orders, e.name)), c.store.Delete(ctx, key(attempts, e.name)))
	}
	c.tell(e, where, err)
}

// look takes over what is in the store for e's name, if it is something new.
func (c *Client) look(ctx context.Context, e *entry) {
	if e.unsaved {
		return // what is there is older
	}
	var f failures
	text, err := c.store.Get(ctx, key(attempts, e.name))
	switch last := e.failed.Load(); {
	case err == nil && json.Unmarshal(text, &f) == nil && (last == nil || f.Last.After(last.Last)):
		e.failed.Store(&f)
		e.kept = true
	case errors.Is(err, fs.ErrNotExist) && e.kept: // another instance had success
		e.failed.Store(nil)
	}
	where := key(certificates, e.name)
	text, err = c.store.Get(ctx, where)
	if errors.Is(err, fs.ErrNotExist) || err == nil && e.text != nil && bytes.Equal(text, e.text) {
		c.tell(e, where, nil)
		return
	}
	var pair *tls.Certificate
	if err == nil {
		pair, err = unbundle(e.name, text)
	}
	c.tell(e, where, err)
	if last := e.current.Load(); err != nil || last != nil && pair.Leaf.NotAfter.Before(last.Leaf.NotAfter) {
		return
	}
	e.text = text
	failed := e.failed.Load()
	c.adopt(e, pair)
	e.failed.Store(failed)
	if c.hooks.Loaded != nil {
		c.hooks.Loaded(certificate.Of(pair.Leaf))
	}
}

// tell tells of trouble with what the store has of e's, when it is new.
func (c *Client) tell(e *entry, where string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != e.trouble {
		c.hooks.state(where, err)
	}
	e.trouble = text
}
