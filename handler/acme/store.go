package acme

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
)

// Store keeps state. Its methods may be called concurrently, also by other
// processes; a key is a path of names that are safe in file names.
type Store interface {
	// Get returns what was put, or an error that is [fs.ErrNotExist].
	Get(ctx context.Context, key string) ([]byte, error)
	// Put replaces what is there, at once: others see the old value or the new.
	Put(ctx context.Context, key string, value []byte) error
	// Delete removes it, if it is there.
	Delete(ctx context.Context, key string) error
	// Locked runs f while nobody else runs anything under that key, for which it
	// waits until ctx is done. The lock of a process that died is free. The context
	// of f ends when the lock is lost.
	Locked(ctx context.Context, key string, f func(context.Context) error) error
}

// storeError is a failure of the store, for which the authority is not to blame.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

func (e storeError) Error() string { return "keeping state: " + e.error.Error() }

// Keys of a store, below the authority's own folder.
const (
	accountKey   = "account.pem"  // the account's key
	certificates = "certificates" // with their keys
	orders       = "orders"       // under way: where, and with which key
	challenges   = "challenges"   // under way: what to answer
	attempts     = "attempts"     // that failed: how often, and when to try again
)

// key returns the key of something of name's.
func key(kind string, name Name) string { return kind + "/" + string(name) + endings[kind] }

var endings = map[string]string{certificates: ".pem", orders: ".json", challenges: ".json", attempts: ".json"}

// folder is a part of a store.
type folder struct {
	Store
	prefix string
}

// folderOf returns the part of a store that is for one authority: a certificate of
// one that is for tests must not be taken for that of another.
func folderOf(store Store, ca DirectoryURL) folder {
	readable := string(ca)
	if u, err := url.Parse(readable); err == nil {
		readable = unsafe.ReplaceAllString(u.Host+u.Path, "-")
	}
	sum := sha256.Sum256([]byte(ca))
	return folder{store, readable[:min(len(readable), 100)] + "-" + hex.EncodeToString(sum[:4]) + "/"}
}

var unsafe = regexp.MustCompile(`[^a-z0-9.-]+`)

func (f folder) Get(ctx context.Context, key string) ([]byte, error) {
	return f.Store.Get(ctx, f.prefix+key)
}

func (f folder) Put(ctx context.Context, key string, value []byte) error {
	return f.Store.Put(ctx, f.prefix+key, value)
}

func (f folder) Delete(ctx context.Context, key string) error {
	return f.Store.Delete(ctx, f.prefix+key)
}

func (f folder) Locked(ctx context.Context, key string, run func(context.Context) error) error {
	return f.Store.Locked(ctx, f.prefix+key, run)
}
