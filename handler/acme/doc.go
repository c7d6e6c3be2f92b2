// Package acme answers: which certificate does an authority give us for a name,
// and when is the next one due?
//
// A [Client] gets certificates by the protocol ACME (RFC 8555) and keeps them
// valid. For each name it has one certificate of its own, so that one name that
// cannot be proved holds up no other. That a name is ours it proves by HTTP-01
// ([Client.Challenges]) or TLS-ALPN-01 (RFC 8737, [Client.Challenge]). When to renew
// it asks the authority (RFC 9773); where that has no opinion a third of the
// lifetime is left, or half of a short one.
//
// All state is in a [Store]: the account's key, certificates with their keys,
// orders under way, challenges under way, and when to try again. Instances that
// share it order once, and each answers the challenges of all. What a process that
// is killed leaves there the next one goes on with.
//
// The protocol itself is that of github.com/mholt/acmez/v3/acme. It adds 0.1 MB to
// the binary, less than golang.org/x/crypto/acme, and unlike that knows renewal
// information and profiles; certmagic, which would do all of this, adds 2 MB.
package acme
