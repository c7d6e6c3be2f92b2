package acme

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mholt/acmez/v3/acme"
)

// account returns the account at the authority, which it makes if there is none.
// The authority is asked once, and again after a failure: it may have lost what it
// knew of us.
func (c *Client) account(ctx context.Context, api *acme.Client) (acme.Account, error) {
	c.mu.Lock()
	known := c.registered
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	var account acme.Account
	// One at a time, as two keys would be two accounts.
	err := c.store.Locked(ctx, "account", func(ctx context.Context) error {
		key, err := c.accountKey(ctx)
		if err != nil {
			return err
		}
		account, err = c.register(ctx, api, key)
		return err
	})
	if err != nil {
		return account, err
	}
	c.mu.Lock()
	c.registered = &account
	c.mu.Unlock()
	return account, nil
}

// forgetAccount has the next order ask for it anew.
func (c *Client) forgetAccount() {
	c.mu.Lock()
	c.registered = nil
	c.mu.Unlock()
}

func (c *Client) register(ctx context.Context, api *acme.Client, key *ecdsa.PrivateKey) (acme.Account, error) {
	account := acme.Account{PrivateKey: key, TermsOfServiceAgreed: true}
	if c.cfg.Email != "" {
		account.Contact = []string{"mailto:" + c.cfg.Email}
	}
	// An account that is there needs no binding, which some authorities accept once
	// only.
	found, err := api.GetAccount(ctx, account)
	if refused(err) {
		if c.cfg.EABKeyID != "" {
			if err := account.SetExternalAccountBinding(ctx, api, acme.EAB{KeyID: c.cfg.EABKeyID, MACKey: unpadded(c.cfg.EABHMACKey)}); err != nil {
				return account, err
			}
		}
		found, err = api.NewAccount(ctx, account)
	}
	if err != nil {
		return account, fmt.Errorf("account: %w", err)
	}
	if found.Status != "" && found.Status != acme.StatusValid {
		return account, fmt.Errorf("account: the authority says that it is %s; without %s there will be a new one", found.Status, accountKey)
	}
	return found, nil
}

// accountKey returns the account's key, which it makes if there is none, or none
// that can be read.
func (c *Client) accountKey(ctx context.Context) (*ecdsa.PrivateKey, error) {
	text, err := c.store.Get(ctx, accountKey)
	if err == nil {
		key, err := decodeKey(text)
		if err == nil {
			return key, nil
		}
		c.hooks.state(accountKey, err)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, storeError{err}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if text, err = encodeKey(key); err != nil {
		return nil, err
	}
	if err := c.store.Put(ctx, accountKey, text); err != nil {
		return nil, storeError{err}
	}
	return key, nil
}
