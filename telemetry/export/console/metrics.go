package console

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Widths of the columns of metrics, the space after them included.
const (
	metricWidth = 42
	valueWidth  = 26
)

// Metrics returns metrics, each as OTLP's message, as a table of all series, a line for
// each, by their names.
func Metrics(metrics [][]byte, coloured bool) []byte {
	var rows []string
	for _, m := range metrics {
		rows = append(rows, seriesOf(m, style{coloured})...)
	}
	slices.Sort(rows)
	return []byte(strings.Join(rows, ""))
}

// seriesOf returns the lines of a Metric.
func seriesOf(m message, s style) (rows []string) {
	var name, unit string
	for f := range m.fields {
		switch f.number {
		case 1:
			name = brief(string(f.bytes))
		case 3:
			unit = brief(string(f.bytes))
		case 5, 7, 9, 10, 11:
			for points := range message(f.bytes).fields {
				if points.number == 1 {
					p := readPoint(f.number, points.bytes)
					rows = append(rows, p.row(name, unit, s))
				}
			}
		}
	}
	return rows
}

// point is what is shown of a series at a moment.
type point struct {
	value      string
	attributes []attribute
}

// places are the numbers of the fields of a data point; 0 is one that it has not.
type places struct{ attributes, float, integer, count, sum, min, max protowire.Number }

// placesIn has those of the points of each kind of metric, by the field that is for it.
var placesIn = map[protowire.Number]places{
	5:  {attributes: 7, float: 4, integer: 6},
	7:  {attributes: 7, float: 4, integer: 6},
	9:  {attributes: 9, count: 4, sum: 5, min: 11, max: 12},
	10: {attributes: 1, count: 4, sum: 5, min: 12, max: 13},
	11: {attributes: 7, count: 4, sum: 5},
}

// readPoint reads a data point of the kind of metric that stands in a field of that
// number.
func readPoint(kind protowire.Number, m message) point {
	var attributes []message
	var p point
	var count uint64
	var sum float64
	var extremes []string
	of := placesIn[kind]
	for f := range m.fields {
		number := math.Float64frombits(f.bits)
		switch f.number {
		case of.attributes:
			attributes = append(attributes, f.bytes)
		case of.float:
			p.value = decimal(number)
		case of.integer:
			p.value = strconv.FormatInt(int64(f.bits), 10)
		case of.count:
			count = f.bits
		case of.sum:
			sum = number
		case of.min:
			extremes = append(extremes, " min="+decimal(number))
		case of.max:
			extremes = append(extremes, " max="+decimal(number))
		}
	}
	if of.count != 0 {
		p.value = "count=" + strconv.FormatUint(count, 10)
		if count > 0 {
			p.value += " mean=" + decimal(sum/float64(count)) + strings.Join(extremes, "")
		}
	}
	p.attributes = readAttributes(attributes, nil)
	return p
}

// row returns the line of a series.
func (p point) row(name, unit string, s style) string {
	pad := func(text string, width int) string {
		return strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 1))
	}
	if unit == "1" {
		unit = "" // as it is called where there is none
	}
	words := []string{s.bold(name) + pad(name, metricWidth) + p.value + pad(p.value, valueWidth) + unit}
	for _, a := range p.attributes {
		words = append(words, s.faint(a.key+"=")+a.value)
	}
	return strings.TrimRight(strings.Join(words, " "), " ") + "\n"
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
