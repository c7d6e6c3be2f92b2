package export

import (
	"errors"
	"fmt"
	"slices"
)

// faults gathers what is wrong with the configuration, so that all of it is
// told at once.
type faults []error

// add records that the value of a variable cannot be used.
func (f *faults) add(name, value string, reason error) {
	f.once(fmt.Errorf("%s=%q: %w", name, value, reason))
}

// addSecret is add for a value that must not be shown.
func (f *faults) addSecret(name string, reason error) {
	f.once(fmt.Errorf("%s: %w", name, reason))
}

// once keeps a fault of a general variable from being told for each signal.
func (f *faults) once(fault error) {
	if !slices.ContainsFunc(*f, func(e error) bool { return e.Error() == fault.Error() }) {
		*f = append(*f, fault)
	}
}

// parts returns the errors that err joins, or it alone.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func (f faults) err() error { return errors.Join(f...) }
