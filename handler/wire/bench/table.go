package main

import (
	"fmt"
	"math"
	"strings"
)

// table is one of Markdown; its first row is the head.
type table [][]string

func (t table) String() string {
	var b strings.Builder
	for i, row := range t {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// report is what a run has found, to be read in a README.
type report struct {
	parts []string // paragraphs
	noise []string // which ratios say little
}

func (r *report) add(part string) { r.parts = append(r.parts, strings.TrimSpace(part)) }

// String ends with what is not to be relied on, if anything.
func (r *report) String() string {
	parts := r.parts
	if len(r.noise) > 0 {
		parts = append(parts, "The machine was too noisy for these, whose greatest ratio is more than twice the least: "+strings.Join(r.noise, "; ")+".")
	}
	return strings.Join(parts, "\n\n")
}

// compared writes the values of a subject as ratios to those of the base, and notes
// which of them are too far apart.
func (r *report) compared(what string, values, base []float64) string {
	s := spreadOf(ratios(values, base))
	if s.noisy() {
		r.noise = append(r.noise, what)
	}
	ratio := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	return s.text(len(values), ratio)
}

// absolute writes the values themselves.
func (f figure) absolute(values ...float64) string {
	return spreadOf(values).text(len(values), f.write)
}

// text writes the spread of so many rounds. What is endless is a latency of somebody
// who could not keep up.
func (s spread) text(rounds int, write func(float64) string) string {
	switch {
	case math.IsNaN(s.median):
		return "–"
	case math.IsInf(s.median, 0):
		return "saturated"
	case rounds == 1:
		return write(s.median)
	case math.IsInf(s.most, 0):
		return fmt.Sprintf("%s (%s–saturated)", write(s.median), write(s.least))
	}
	return fmt.Sprintf("%s (%s–%s)", write(s.median), write(s.least), write(s.most))
}

// bySubject is a table with a row for each subject, whose values are compared with those
// of the first.
func (r *report) bySubject(figures []figure, subjects []subject, all []series) table {
	head := []string{""}
	for _, f := range figures {
		head = append(head, f.name)
	}
	t := table{head}
	for i, s := range subjects {
		row := []string{strings.TrimSpace(s.name + " " + s.version)}
		for k, f := range figures {
			if i == 0 || f.plain {
				row = append(row, f.absolute(all[i][k]...))
			} else {
				row = append(row, r.compared(f.name+" of "+s.name, all[i][k], all[0][k]))
			}
		}
		t = append(t, row)
	}
	return t
}

// byFigure returns rows that have a figure each, of two subjects, and their ratio.
func (r *report) byFigure(figures []figure, all []series) (rows table) {
	for k, f := range figures {
		base, values := all[0][k], all[1][k]
		rows = append(rows, []string{f.name, f.absolute(base...), f.absolute(values...), r.compared(f.name, values, base)})
	}
	return rows
}

// byAlgorithm is a table of subjects that come in pairs, before few and many backends.
func (r *report) byAlgorithm(f figure, subjects []subject, all []series) table {
	t := table{{f.name, fmt.Sprintf("%d backends", subjects[0].backends), fmt.Sprintf("%d backends", subjects[1].backends), "ratio"}}
	for i := 0; i < len(subjects); i += 2 {
		few, many := all[i][0], all[i+1][0]
		name := subjects[i].name
		t = append(t, []string{name, f.absolute(few...), f.absolute(many...), r.compared(name+" before many backends", many, few)})
	}
	return t
}

// How figures are written, each with its unit.

func millis(v float64) string             { return significant(v) + " ms" }
func perSecond(v float64) string          { return significant(v) + "/s" }
func percent(v float64) string            { return significant(v) + " %" }
func times(v float64) string              { return "× " + significant(v) }
func mebibytesPerSecond(v float64) string { return significant(v) + " MiB/s" }

func micros(v float64) string {
	if v >= 1000 {
		return millis(v / 1000)
	}
	return significant(v) + " µs"
}

func memory(v float64) string {
	if math.Abs(v) < 1<<20 {
		return significant(v/(1<<10)) + " KiB"
	}
	return significant(v/(1<<20)) + " MiB"
}

// significant writes three digits, and all that stand before the point.
func significant(v float64) string {
	decimals := 0
	for limit := 100.0; decimals < 2 && math.Abs(v) < limit; limit /= 10 {
		decimals++
	}
	text := fmt.Sprintf("%.*f", decimals, v)
	digits, rest, _ := strings.Cut(text, ".")
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if decimals > 0 {
		return digits + "." + rest
	}
	return digits
}
