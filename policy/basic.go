package policy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxBasicCost keeps one password from taking more than about a second.
	maxBasicCost = 14
	// maxBasicPassword is how much of a password bcrypt sees, in bytes. What
	// made the hash may have cut a longer one, without a word.
	maxBasicPassword = 72
	// rememberPassword and rememberMistake are how long what bcrypt said is kept.
	// A client with a password of yesterday sends it with each request.
	rememberPassword, rememberMistake = 5 * time.Minute, time.Minute
	// basicPatience is how long a request waits for its turn at bcrypt.
	basicPatience = time.Second
	// turnsOfClient is how many passwords of one client may be with bcrypt or wait
	// for it. Whoever guesses then delays others by that many, and no more.
	turnsOfClient = 2
)

// basicUsers verifies passwords (RFC 7617). As bcrypt takes tens of milliseconds
// by design, half of the CPUs at most are at it, and what it says is remembered
// under a keyed digest, with a key that is this process's own.
type basicUsers struct {
	hashes map[string][]byte
	all    [][]byte // the hashes
	secret []byte
	right  *recent[string]   // names
	wrong  *recent[struct{}] // apart, so that guesses do not push out what is right
	turns  chan struct{}

	mu     sync.Mutex
	asking map[[16]byte]map[[32]byte]int // requests by client and password, that are not answered yet
}

var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

// parseBasicUsers reads user:bcrypt items.
func parseBasicUsers(text string) (*basicUsers, error) {
	u := &basicUsers{
		hashes: map[string][]byte{},
		secret: make([]byte, sha256.Size),
		right:  newRecent[string](1024),
		wrong:  newRecent[struct{}](1024),
		turns:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		asking: map[[16]byte]map[[32]byte]int{},
	}
	rand.Read(u.secret) // never fails
	err := credentialItems(text, func(name, hash string) error {
		if !bcryptHash.MatchString(hash) {
			return errors.New("must have a bcrypt hash, as htpasswd -nB prints it; in a compose file each $ of it is written $$")
		}
		if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost < bcrypt.MinCost || cost > maxBasicCost {
			return fmt.Errorf("its bcrypt cost must be %d to %d", bcrypt.MinCost, maxBasicCost)
		}
		u.hashes[name] = []byte(hash)
		u.all = append(u.all, []byte(hash))
		return nil
	})
	return u, err
}

// verify returns the user whose name and password a client sent, which comes
// from addr.
func (u *basicUsers) verify(ctx context.Context, addr netip.Addr, credentials string) (Principal, authReason) {
	text, err := base64.StdEncoding.Strict().DecodeString(credentials)
	name, password, ok := strings.Cut(string(text), ":")
	switch {
	case err != nil || !ok:
		return Principal{}, reasonMalformed
	case strings.ContainsFunc(password, unicode.IsControl): // RFC 7617 §2; bcrypt repeats what a NUL ends
		return Principal{}, reasonMalformed
	case len(password) > maxBasicPassword:
		return Principal{}, reasonLong
	case len(name) > maxPrincipalName || len(u.all) == 0:
		return Principal{}, reasonPassword
	}
	digest := u.digest(text)
	if p, reason, ok := u.remembered(digest); ok {
		return p, reason
	}
	client := network(addr)
	if !u.enter(client, digest) {
		return Principal{}, reasonBusy
	}
	defer u.leave(client, digest)
	if !u.takeTurn(ctx) {
		return Principal{}, reasonBusy
	}
	defer func() { <-u.turns }()
	// The one before may have had the same.
	if p, reason, ok := u.remembered(digest); ok {
		return p, reason
	}
	return u.compare(digest, name, password)
}

func (u *basicUsers) remembered(digest [32]byte) (Principal, authReason, bool) {
	if name, ok := u.right.get(digest); ok {
		return Principal{Name: name, Method: methodBasic}, "", true
	}
	_, ok := u.wrong.get(digest)
	return Principal{}, reasonPassword, ok
}

// enter notes that a password of a client is asked for, and reports whether it
// may be. Requests with the same one, as a browser sends them for what is on a
// page, count once.
func (u *basicUsers) enter(client [16]byte, digest [32]byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	passwords := u.asking[client]
	switch {
	case passwords == nil:
		passwords = map[[32]byte]int{}
		u.asking[client] = passwords
	case passwords[digest] == 0 && len(passwords) >= turnsOfClient:
		return false
	}
	passwords[digest]++
	return true
}

func (u *basicUsers) leave(client [16]byte, digest [32]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	passwords := u.asking[client]
	if passwords[digest]--; passwords[digest] == 0 {
		delete(passwords, digest)
	}
	if len(passwords) == 0 {
		delete(u.asking, client)
	}
}

// takeTurn waits for a CPU that bcrypt may have, and reports whether there is
// one.
func (u *basicUsers) takeTurn(ctx context.Context) bool {
	select {
	case u.turns <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(basicPatience)
	defer timer.Stop()
	select {
	case u.turns <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (u *basicUsers) compare(digest [32]byte, name, password string) (Principal, authReason) {
	hash, known := u.hashFor(name)
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !known {
		u.wrong.put(digest, struct{}{}, time.Now().Add(rememberMistake))
		return Principal{}, reasonPassword
	}
	u.right.put(digest, name, time.Now().Add(rememberPassword))
	return Principal{Name: name, Method: methodBasic}, ""
}

// hashFor returns what the password of a user is compared with. For a name that
// is not known it is the hash of one that is, always the same one, so that the
// time that it takes does not tell.
func (u *basicUsers) hashFor(name string) (hash []byte, known bool) {
	if hash, known = u.hashes[name]; !known {
		digest := u.digest([]byte(name))
		hash = u.all[binary.BigEndian.Uint64(digest[:])%uint64(len(u.all))]
	}
	return hash, known
}

func (u *basicUsers) digest(text []byte) (digest [32]byte) {
	mac := hmac.New(sha256.New, u.secret)
	mac.Write(text)
	mac.Sum(digest[:0])
	return digest
}
