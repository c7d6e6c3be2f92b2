package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Percent is a part of a whole, from 0 to 1. As text it is a percentage: "20%".
type Percent float64

// UnmarshalText parses a percentage.
func (p *Percent) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	percent, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return errors.New("must be a percentage from 0% to 100%")
	}
	*p = Percent(percent / 100)
	return nil
}

// MarshalText renders the percentage as UnmarshalText reads it.
func (p Percent) MarshalText() ([]byte, error) {
	return append(strconv.AppendFloat(nil, math.Round(float64(p)*1e8)/1e6, 'g', -1, 64), '%'), nil
}
