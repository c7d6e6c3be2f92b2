package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	figures := []figure{{name: "CPU", write: micros}, {name: "p99", write: micros}, {name: "spans", write: percent, plain: true}}
	nan, endless := math.NaN(), math.Inf(1)
	subjects := []subject{{name: "nginx", version: "1.2"}, {name: "slow"}, {name: "ours", version: "abc"}}
	all := []series{
		{{20, 10, 40}, {100, 100, 100}, {nan, nan, nan}},
		{{100, 50, 200}, {endless, endless, 120}, {nan, nan, nan}},
		{{20, 12, 50}, {100, 250, endless}, {99, 100, 98.5}},
	}
	var r report
	r.add(r.bySubject(figures, subjects, all).String())
	r.add(table(append(table{{"", "nginx", "ours", "ratio"}}, r.byFigure(figures[:1], []series{all[0], all[2]})...)).String())
	r.add("Said.")
	want := `|  | CPU | p99 | spans |
|---|---:|---:|---:|
| nginx 1.2 | 20.0 µs (10.0 µs–40.0 µs) | 100 µs (100 µs–100 µs) | – |
| slow | 5.00 (5.00–5.00) | saturated | – |
| ours abc | 1.20 (1.00–1.25) | 2.50 (1.00–saturated) | 99.0 % (98.5 %–100 %) |

|  | nginx | ours | ratio |
|---|---:|---:|---:|
| CPU | 20.0 µs (10.0 µs–40.0 µs) | 20.0 µs (12.0 µs–50.0 µs) | 1.20 (1.00–1.25) |

Said.

The machine was too noisy for these, whose greatest ratio is more than twice the least: p99 of slow; p99 of ours.`
	if diff := cmp.Diff(want, r.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestByAlgorithm(t *testing.T) {
	subjects := []subject{{name: "random", backends: 2}, {name: "random", backends: 500}, {name: "hash", backends: 2}, {name: "hash", backends: 500}}
	all := []series{{{20, 20}}, {{20, 22}}, {{10, 10}}, {{10, 30}}}
	var r report
	want := `| CPU per request | 2 backends | 500 backends | ratio |
|---|---:|---:|---:|
| random | 20.0 µs (20.0 µs–20.0 µs) | 21.0 µs (20.0 µs–22.0 µs) | 1.05 (1.00–1.10) |
| hash | 10.0 µs (10.0 µs–10.0 µs) | 20.0 µs (10.0 µs–30.0 µs) | 2.00 (1.00–3.00) |
`
	if diff := cmp.Diff(want, r.byAlgorithm(figure{name: "CPU per request", write: micros}, subjects, all).String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hash before many backends"}, r.noise); diff != "" {
		t.Errorf("noise (-want +got):\n%s", diff)
	}
}

func TestFiguresAreWritten(t *testing.T) {
	got := []string{
		micros(0.123), micros(9.999), micros(12.34), micros(123.4), perSecond(25061), perSecond(1234567),
		memory(512), memory(6 << 10), memory(60.5 * (1 << 20)), memory(-3000), memory(-300 << 10), times(1.64), percent(100), millis(11.9), mebibytesPerSecond(2048),
	}
	want := []string{
		"0.12 µs", "10.00 µs", "12.3 µs", "123 µs", "25,061/s", "1,234,567/s",
		"0.50 KiB", "6.00 KiB", "60.5 MiB", "-2.93 KiB", "-300 KiB", "× 1.64", "100 %", "11.9 ms", "2,048 MiB/s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}
