//go:build !unix

package acme

import "context"

// Locked runs f: there are no locks between processes here, so that a directory is
// for one process only.
func (d *Dir) Locked(ctx context.Context, _ string, f func(context.Context) error) error {
	return f(ctx)
}
