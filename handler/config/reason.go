package config

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"time"
)

// reason words what t expects, unless t is a type of ours, which does so itself.
func reason(t reflect.Type, err error) error {
	zero := reflect.Zero(t)
	switch _, speaks := reflect.New(t).Interface().(encoding.TextUnmarshaler); {
	case t == reflect.TypeFor[slog.Level]():
		return errors.New("must be debug, info, warn or error")
	case speaks:
		return err
	case t == reflect.TypeFor[time.Duration]():
		return errors.New("must be a duration such as 500ms, 10s or 1m30s")
	case t.Kind() == reflect.Bool:
		return errors.New("must be true or false")
	case zero.CanUint():
		return fmt.Errorf("must be a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	case zero.CanInt() && errors.Is(err, strconv.ErrRange):
		return errors.New("is out of range")
	case zero.CanInt():
		return errors.New("must be a whole number")
	}
	return err
}
