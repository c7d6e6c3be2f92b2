package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"
)

// trial is one way to measure a subject.
type trial struct {
	name    string
	figures []figure
	rounds  int // 0: as many as the rig's
	measure func(ctx context.Context, r *rig, s subject) ([]float64, error)
}

// figure is one of the values that a trial has.
type figure struct {
	name  string
	write func(float64) string
	plain bool // it says something by itself, and is not compared
}

// series are the values of one subject: by figure, and then by round.
type series [][]float64

// interleave has the trial measure each subject once a round, so that what the
// machine does meanwhile happens to all of them.
func (r *rig) interleave(ctx context.Context, t trial, subjects []subject) ([]series, error) {
	all := make([]series, len(subjects))
	for i := range all {
		all[i] = make(series, len(t.figures))
	}
	rounds := r.rounds
	if t.rounds > 0 {
		rounds = t.rounds
	}
	for round := range rounds {
		for i, s := range subjects {
			values, err := t.measure(ctx, r, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			fmt.Fprintf(r.progress, "%s, round %d of %d: %s", t.name, round+1, rounds, s.name)
			for f, v := range values {
				all[i][f] = append(all[i][f], v)
				fmt.Fprintf(r.progress, ", %s", t.figures[f].absolute(v))
			}
			fmt.Fprintln(r.progress)
		}
	}
	return all, nil
}

const (
	connections = 64
	small       = 1 << 10 // bytes of an answer
	large       = 1 << 20
)

// ofRequests is what most people mean by how fast a proxy is. The first subject of
// each round is the one whose rate the others are offered half of.
func ofRequests() trial {
	var rate float64
	var first string
	return trial{
		name: "main",
		figures: []figure{
			{name: "CPU per request", write: micros}, {name: "requests", write: perSecond},
			{name: "p50 at half load", write: micros}, {name: "p99 at half load", write: micros},
			{name: "RSS", write: memory}, {name: "PSS", write: memory}, {name: "spans delivered", write: percent, plain: true},
		},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, http1, r.backends, func(at *running) error {
				full, err := r.drive(ctx, at, job{Connections: connections, Size: small, Length: r.length}, 0)
				if err != nil {
					return err
				}
				share, err := delivered(ctx, at, s)
				if err != nil {
					return err
				}
				if first == "" || first == s.name {
					first, rate = s.name, float64(full.InTime)/r.length.Seconds()
				}
				half, err := r.drive(ctx, at, job{Connections: connections, Size: small, Length: r.length, Rate: max(rate/2, 1)}, 0)
				p50, p99 := half.P50.Seconds()*1e6, half.P99.Seconds()*1e6
				if half.saturated() {
					p50, p99 = math.Inf(1), math.Inf(1) // of a queue that grows
				}
				values = []float64{full.each(), float64(full.InTime) / r.length.Seconds(), p50, p99, float64(full.after.rss), float64(full.after.pss), share}
				return err
			})
			return values, err
		},
	}
}

// delivered returns which share of its spans a subject has brought to the collector,
// or NaN where it makes none.
func delivered(ctx context.Context, at *running, s subject) (float64, error) {
	if !s.traced {
		return math.NaN(), nil
	}
	var status struct {
		Telemetry []struct {
			Signal                    string
			Exported, Failed, Dropped float64
		}
	}
	if err := get(ctx, http.DefaultTransport, "http://"+at.address+"/.spangate/status", &status); err != nil {
		return 0, err
	}
	for _, of := range status.Telemetry {
		if of.Signal == "traces" {
			return 100 * of.Exported / (of.Exported + of.Failed + of.Dropped), nil
		}
	}
	return 0, fmt.Errorf("the status of %s tells nothing of traces", s.name)
}

// busy is a trial of 64 connections that ask for small answers over a protocol.
func busy(name, what string, p protocol) trial {
	unit := "requests"
	size := small
	switch p {
	case handshake:
		unit = "connections"
	case websocket:
		unit, size = "messages", 64
	}
	return trial{
		name:    name,
		figures: []figure{{name: what + ": CPU", write: micros}, {name: what + ": " + unit, write: perSecond}},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, p, r.backends, func(at *running) error {
				w, err := r.drive(ctx, at, job{Connections: connections, Size: size, Length: r.length}, 0)
				values = []float64{w.each(), float64(w.InTime) / r.length.Seconds()}
				return err
			})
			return values, err
		},
	}
}

// ofBodies measures what large answers cost.
func ofBodies() trial {
	return trial{
		name:    "bodies",
		figures: []figure{{name: "1 MiB bodies: CPU per MiB", write: micros}, {name: "1 MiB bodies: throughput", write: mebibytesPerSecond}},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, http1, r.backends, func(at *running) error {
				w, err := r.drive(ctx, at, job{Connections: 16, Size: large, Length: r.length}, 0)
				values = []float64{w.each(), float64(w.InTime) / r.length.Seconds()}
				return err
			})
			return values, err
		},
	}
}

// ofIdle measures what a connection costs that has had one answer: as much as the
// process is larger than one that has given as many answers over few connections.
func ofIdle() trial {
	const (
		idle = 4000
		rest = 10 * time.Second // until what is not in use may have been given back
	)
	return trial{
		name:    "idle",
		figures: []figure{{name: "4,000 idle connections: PSS of each", write: memory}},
		measure: func(ctx context.Context, r *rig, s subject) ([]float64, error) {
			held := func(number int) (pss float64, err error) {
				err = r.serve(ctx, s, http1, r.backends, func(at *running) error {
					w, err := r.drive(ctx, at, job{Connections: number, Size: small, Each: idle}, rest)
					pss = float64(w.after.pss)
					return err
				})
				return pss, err
			}
			few, err := held(1)
			if err != nil {
				return nil, err
			}
			many, err := held(idle)
			return []float64{(many - few) / idle}, err
		},
	}
}

// ofGrowth measures what it costs to have many clients rather than some.
func ofGrowth() trial {
	const many = 2048
	return trial{
		name: "growth",
		figures: []figure{
			{name: "2,048 connections: CPU per request, to that of 64", write: times},
			{name: "2,048 connections: PSS", write: memory},
		},
		measure: func(ctx context.Context, r *rig, s subject) ([]float64, error) {
			var of []work
			for _, number := range []int{connections, many} {
				err := r.serve(ctx, s, http1, r.backends, func(at *running) error {
					w, err := r.drive(ctx, at, job{Connections: number, Size: small, Length: r.length}, 0)
					of = append(of, w)
					return err
				})
				if err != nil {
					return nil, err
				}
			}
			return []float64{of[1].each() / of[0].each(), float64(of[1].after.pss)}, nil
		},
	}
}

// ofStarts measures how long a client waits for the first answer of a process.
func ofStarts() trial {
	return trial{
		name: "start", rounds: 20,
		figures: []figure{{name: "first answer after exec", write: millis}},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, http1, r.backends, func(at *running) error {
				values = []float64{at.firstAnswer.Seconds() * 1e3}
				return nil
			})
			return values, err
		},
	}
}

// ofRoutes measures what it costs that there are routes, also to start with them.
func ofRoutes() trial {
	return trial{
		name:    "routes",
		figures: []figure{{name: "CPU per request", write: micros}, {name: "requests", write: perSecond}, {name: "first answer after exec", write: millis}},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, http1, r.backends, func(at *running) error {
				w, err := r.drive(ctx, at, job{Connections: connections, Size: small, Length: r.length}, 0)
				values = []float64{w.each(), float64(w.InTime) / r.length.Seconds(), at.firstAnswer.Seconds() * 1e3}
				return err
			})
			return values, err
		},
	}
}

// ofBackends measures a request before so many backends; of several paths, so that
// an algorithm that goes by them uses all.
func ofBackends(backends []string) trial {
	return trial{
		name:    "backends",
		figures: []figure{{name: "CPU per request", write: micros}},
		measure: func(ctx context.Context, r *rig, s subject) (values []float64, err error) {
			err = r.serve(ctx, s, http1, backends[:s.backends], func(at *running) error {
				// Each backend has its connections by then.
				w, err := r.drive(ctx, at, job{Connections: connections, Size: small, Paths: 1024, Warmup: r.length / 2, Length: r.length}, 0)
				values = []float64{w.each()}
				return err
			})
			return values, err
		},
	}
}
