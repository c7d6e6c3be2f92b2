package export

import "errors"

// faults gathers what is wrong with the configuration, so that all of it is
// told at once.
type faults []error

func (f *faults) add(err error) { *f = append(*f, err) }

func (f faults) err() error { return errors.Join(f...) }
