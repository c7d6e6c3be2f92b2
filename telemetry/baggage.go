package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"golang.org/x/net/http/httpguts"
)

// baggageKeys are the keys of baggage that anybody may send on to the backends.
// The zero value admits none. Baggage of peers that are believed passes whole;
// the propagator bounds it to 64 entries and 8192 bytes (W3C Baggage, section
// 3.3.2).
type baggageKeys struct {
	all  bool
	keys map[string]bool
}

// UnmarshalText parses a comma list of keys, or * for all.
func (k *baggageKeys) UnmarshalText(text []byte) error {
	*k = baggageKeys{keys: map[string]bool{}}
	var wrong []error
	for key := range strings.SplitSeq(string(text), ",") {
		switch key = strings.TrimSpace(key); key {
		case "":
		case "*":
			k.all = true
		default:
			if !httpguts.ValidHeaderFieldName(key) { // a token, as keys are (W3C Baggage, section 3.2.1)
				wrong = append(wrong, fmt.Errorf("%q is no key of baggage", key))
			}
			k.keys[key] = true
		}
	}
	return errors.Join(wrong...)
}

// admit returns ctx with what may pass of received.
func (k baggageKeys) admit(ctx context.Context, received baggage.Baggage) context.Context {
	if received.Len() == 0 || !k.all && len(k.keys) == 0 {
		return ctx
	}
	for _, member := range received.Members() {
		if !k.all && !k.keys[member.Key()] {
			received = received.DeleteMember(member.Key())
		}
	}
	return baggage.ContextWithBaggage(ctx, received)
}
