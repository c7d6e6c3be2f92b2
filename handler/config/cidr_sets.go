package config

import "slices"

// Covers reports whether l contains every address that other does.
func (l CIDRs) Covers(other CIDRs) bool {
	if other.Empty() {
		return true
	}
	if l.Empty() {
		return false
	}
	t, o := l.table, other.table
	for i, first := range o.first4 {
		at, found := slices.BinarySearch(t.first4, first)
		if !found {
			at--
		}
		if at < 0 || t.last4[at] < o.last4[i] {
			return false
		}
	}
	for i, first := range o.first6 {
		at, found := slices.BinarySearchFunc(t.first6, first, uint128.compare)
		if !found {
			at--
		}
		if at < 0 || t.last6[at].less(o.last6[i]) {
			return false
		}
	}
	return true
}

// Overlaps reports whether l and other contain an address in common.
func (l CIDRs) Overlaps(other CIDRs) bool {
	if l.Empty() || other.Empty() {
		return false
	}
	return l.table.begins(other.table) || other.table.begins(l.table)
}

// begins reports whether a range of o begins within one of t.
func (t *table) begins(o *table) bool {
	return slices.ContainsFunc(o.first4, t.contains4) || slices.ContainsFunc(o.first6, t.contains6)
}

func (u uint128) compare(v uint128) int {
	switch {
	case u.less(v):
		return -1
	case v.less(u):
		return 1
	}
	return 0
}
