package probe

// verdict counts probes until they say something: unknown → ready ⇄ down.
type verdict struct {
	rise, fall int // probes in a row that it takes to become ready again, or down
	is         standing
	against    int // probes in a row that contradict what it is
}

type standing int

const (
	unknown standing = iota
	ready
	down
)

// count takes the outcome of a probe and reports whether the verdict is
// another one since.
func (v *verdict) count(fit bool) (changed bool) {
	outcome, need := down, v.fall
	if fit {
		outcome, need = ready, v.rise
		if v.is == unknown {
			need = 1 // failures before the first success are a slow start
		}
	}
	if v.is == outcome {
		v.against = 0
		return false
	}
	v.against++
	if v.against < need {
		return false
	}
	v.is, v.against = outcome, 0
	return true
}

// settled reports whether no probe has contradicted the verdict since it was
// last confirmed.
func (v *verdict) settled() bool { return v.against == 0 }
