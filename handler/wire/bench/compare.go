package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// compare measures all that was asked for.
func (r *rig) compare(ctx context.Context, o options) (*report, error) {
	p, err := newProgram(ctx, r.dir)
	if err != nil {
		return nil, err
	}
	others, missing, err := r.others(ctx, o)
	if err != nil {
		return nil, err
	}
	found := &report{}
	if o.tries("main") {
		err = r.compareRequests(ctx, o, found, append(others, p.subjects(r.collector)...))
	}
	if err == nil {
		err = r.compareOtherwise(ctx, o, found, []subject{others[0], p.plain()})
	}
	if err == nil && o.tries("backends") {
		err = r.compareAlgorithms(ctx, found, p)
	}
	if err == nil && o.tries("routes") {
		err = r.compareRoutes(ctx, found, p.routed(r.collector))
	}
	if err != nil {
		return nil, err
	}
	found.add(r.about(o, others[0].name, p.commit))
	if len(missing) > 0 {
		found.add("Not measured: " + strings.Join(missing, "; ") + ".")
	}
	return found, nil
}

// about says how the figures came about, and how they are to be read.
func (r *rig) about(o options, base, commit string) string {
	rounds := "one round"
	if r.rounds > 1 {
		rounds = fmt.Sprintf("medians of %d rounds, with the least and the greatest", r.rounds)
	}
	return fmt.Sprintf("`%s`, at %s: %s. %s has figures of its own, those of others are ratios to it in the same round. "+
		"%d connections ask for 1 KiB each as soon as they are answered, two backends answer. At half load requests come at half the rate that %s "+
		"took in the same round, and latency counts from when one was due. On %s.", o.command, cmp.Or(commit, "no commit"), rounds, base, connections, base, machine())
}

// others returns the proxies that are here, the first of which the rest is compared
// with, and says which are not.
func (r *rig) others(ctx context.Context, o options) (all []subject, missing []string, err error) {
	for _, candidate := range []struct {
		name string
		find func(context.Context) (subject, error)
	}{
		{"nginx", newNginx},
		{"HAProxy", newHAProxy},
		{"Caddy", newCaddy},
		{"httputil.ReverseProxy", r.newReference},
	} {
		if len(all) > 0 && !o.measures(candidate.name) || candidate.name == "Caddy" && !o.caddy {
			continue
		}
		s, err := candidate.find(ctx)
		switch {
		case err == nil:
			all = append(all, s)
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		default:
			missing = append(missing, candidate.name)
			if errors.Is(err, exec.ErrNotFound) {
				err = errors.New("it is not installed")
			}
			fmt.Fprintf(r.progress, "%s is left out: %v\n", candidate.name, err)
		}
	}
	if len(all) == 0 {
		return nil, nil, errors.New("there is no proxy to compare with")
	}
	return all, missing, nil
}

// compareRequests makes the first table.
func (r *rig) compareRequests(ctx context.Context, o options, found *report, subjects []subject) error {
	chosen := subjects[:1:1]
	for _, s := range subjects[1:] {
		if o.measures(s.name) {
			chosen = append(chosen, s)
		}
	}
	t := ofRequests()
	all, err := r.interleave(ctx, t, chosen)
	if err != nil {
		return err
	}
	found.add(found.bySubject(t.figures, chosen, all).String())
	var caddy, plain series
	for i, s := range chosen {
		switch s.name {
		case "Caddy":
			caddy = all[i]
		case plainName:
			plain = all[i]
		}
	}
	if caddy != nil && plain != nil {
		found.add("CPU per request of " + plainName + " to Caddy's: " + found.compared(plainName+" to Caddy", plain[0], caddy[0]) + ".")
	}
	return nil
}

// compareOtherwise makes the second table, of two subjects.
func (r *rig) compareOtherwise(ctx context.Context, o options, found *report, subjects []subject) error {
	rows := table{{"", subjects[0].name, subjects[1].name, "ratio"}}
	for _, t := range []trial{
		ofBodies(), ofIdle(), ofGrowth(),
		busy("https", "HTTP/1.1 over TLS", https), busy("h2", "HTTP/2 over TLS", h2), busy("h2c", "HTTP/2 in the clear", h2c),
		busy("handshakes", "full TLS handshake and a request", handshake), busy("websocket", "WebSocket, 64 bytes there and back", websocket),
		ofStarts(),
	} {
		if !o.tries(t.name) {
			continue
		}
		all, err := r.interleave(ctx, t, subjects)
		if err != nil {
			return err
		}
		rows = append(rows, found.byFigure(t.figures, all)...)
	}
	if len(rows) > 1 {
		found.add(rows.String())
		found.add("An idle connection has had an answer: it costs what the process is larger than one that has given as many answers over a single connection, ten seconds later. " +
			"TLS is with a key exchange of X25519 and a certificate of P-256, and resumes nothing. 1 MiB bodies come over 16 connections.")
	}
	return nil
}

// compareAlgorithms makes the table of balancing.
func (r *rig) compareAlgorithms(ctx context.Context, found *report, p program) error {
	const many = 500
	backends, err := cast(ctx, r.dir, "backends", fmt.Sprint(many))
	if err != nil {
		return err
	}
	defer backends.stop()
	var at []string
	if err := backends.hear(patience, &at); err != nil {
		return err
	}
	t, subjects := ofBackends(at), p.algorithms(many)
	all, err := r.interleave(ctx, t, subjects)
	if err != nil {
		return err
	}
	found.add(found.byAlgorithm(t.figures[0], subjects, all).String())
	return nil
}

// compareRoutes makes the table of routes.
func (r *rig) compareRoutes(ctx context.Context, found *report, subjects []subject) error {
	t := ofRoutes()
	all, err := r.interleave(ctx, t, subjects)
	if err != nil {
		return err
	}
	found.add(found.bySubject(t.figures, subjects, all).String())
	found.add("Each route has a pattern, backends and three limits of its own; without routes these hold for all. The first row has figures of its own, the others ratios to it.")
	return nil
}

// machine says what was measured on, and which Go built what is built here.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(info); found != nil {
			model = string(found[1])
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, regexp.MustCompile(`^[\d.]*\d`).Find(kernel), runtime.Version())
}
