package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// certificate returns files with a certificate for localhost and its key, and what
// Chromium knows it by.
func certificate(t *testing.T) (certFile, keyFile, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(public)
	return certFile, keyFile, base64.StdEncoding.EncodeToString(sum[:])
}

// run returns what a script in the page returns.
func (p *page) run(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => {"+script+"})()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return got
}

// application is a backend with what pages use.
type application struct {
	*http.ServeMux
	streams chan string // of /events, with which Last-Event-ID each began
	left    chan struct{}
	chunks  chan string // of the upload, as they come
}

func newApplication(t *testing.T) (*application, string) {
	a := &application{http.NewServeMux(), make(chan string, 10), make(chan struct{}, 10), make(chan string, 10)}
	a.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>page</title>")
	})
	a.HandleFunc("/number/{n}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("n")) })
	a.HandleFunc("/events", a.events)
	a.HandleFunc("/websocket", echoWebSocket)
	a.HandleFunc("/waits", func(_ http.ResponseWriter, r *http.Request) {
		a.streams <- "waits"
		<-r.Context().Done()
		a.left <- struct{}{}
	})
	a.HandleFunc("POST /upload", a.upload)
	a.HandleFunc("/chunk", func(w http.ResponseWriter, r *http.Request) { // what the backend has got by now
		select {
		case chunk := <-a.chunks:
			io.WriteString(w, chunk)
		case <-r.Context().Done():
		}
	})
	a.HandleFunc("/cut/{how}", cut)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server.URL
}

// events sends two of them on each stream, and ends it.
func (a *application) events(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	a.streams <- last
	w.Header().Set("Content-Type", "text/event-stream")
	n := 0
	fmt.Sscan(last, &n)
	fmt.Fprint(w, "retry: 1\n\n")
	for i := n + 1; i <= n+2; i++ {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
		w.(http.Flusher).Flush()
	}
}

func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// upload tells of each part of the body when it comes.
func (a *application) upload(w http.ResponseWriter, r *http.Request) {
	var buffer [64]byte
	total := 0
	for {
		n, err := r.Body.Read(buffer[:])
		if total += n; n > 0 {
			a.chunks <- string(buffer[:n])
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintf(w, "%d bytes over %s", total, r.Header.Get("Via"))
}

// cut begins an answer, and closes the connection.
func cut(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("how") == "length" {
		w.Header().Set("Content-Length", "100")
	}
	io.WriteString(w, "begun")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// A browser does over TLS what it does.
func TestHTTPS(t *testing.T) {
	certFile, keyFile, pin := certificate(t)
	browser := startBrowser(t, chromedp.Flag("ignore-certificate-errors-spki-list", pin))
	app, backend := newApplication(t)
	s := startSpangate(t, "BACKENDS="+backend, "PROBE_MODE=off", "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile)
	p := open(t, browser, "https"+strings.TrimPrefix(s.url, "http"))

	for _, test := range []struct{ name, script, want string }{
		{"the protocol", `return performance.getEntriesByType("navigation")[0].nextHopProtocol`, "h2"},
		{"a hundred at once", `
			const answers = await Promise.all([...Array(100).keys()].map(n => fetch("/number/" + n).then(r => r.text())));
			const protocols = new Set(performance.getEntriesByType("resource").filter(e => e.name.includes("/number/")).map(e => e.nextHopProtocol));
			return String(answers.every((text, n) => text === String(n))) + " " + [...protocols]`, "true h2"},
		{"events, with reconnections", `
			const source = new EventSource("/events"), seen = [];
			return new Promise(resolve => source.onmessage = e => {
				seen.push(e.lastEventId + "=" + e.data);
				if (seen.length === 6) { source.close(); resolve(seen.join(", ")) }
			})`, "1=event 1, 2=event 2, 3=event 3, 4=event 4, 5=event 5, 6=event 6"},
		{"a WebSocket", `
			const socket = new WebSocket(location.origin.replace("http", "ws") + "/websocket"), seen = [];
			return new Promise((resolve, reject) => {
				socket.onopen = () => { socket.send("one"); socket.send("x".repeat(100000)); socket.send(new Uint8Array([1, 2, 3])) };
				socket.onerror = () => reject("error");
				socket.onmessage = e => {
					seen.push(typeof e.data === "string" ? e.data.length : e.data.size);
					if (seen.length === 3) socket.close(1000, "enough");
				};
				socket.onclose = e => resolve(seen.join(", ") + " " + e.code + " " + e.reason);
			})`, "3, 100000, 3 1000 enough"},
		{"an answer that is cut, of a length", `return fetch("/cut/length").then(r => r.text()).then(text => "whole: " + text, e => e.name)`, "TypeError"},
		{"an answer that is cut, of none", `return fetch("/cut/chunks").then(r => r.text()).then(text => "whole: " + text, e => e.name)`, "TypeError"},
		{"an upload as a stream", `
			const parts = ["first", "second", "third"], seen = [];
			const body = new ReadableStream({async pull(controller) {
				if (parts.length === 0) return controller.close();
				controller.enqueue(new TextEncoder().encode(parts.shift()));
				seen.push(await (await fetch("/chunk")).text()); // it has come before the next one is sent
			}}, {highWaterMark: 0});
			const answer = await fetch("/upload", {method: "POST", body, duplex: "half"});
			return seen + ": " + await answer.text()`, "first,second,third: 16 bytes over 2 spangate"},
	} {
		if diff := cmp.Diff(test.want, p.run(t, test.script)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}

	// Not a connection of its own: the browser was told that there is no need.
	if diff := cmp.Diff([]string{"CONNECT 200"}, s.requests(t, "/websocket", 1)); diff != "" {
		t.Errorf("the WebSocket came as (-want +got):\n%s", diff)
	}
	var began []string
	for range 3 {
		began = append(began, <-app.streams)
	}
	if diff := cmp.Diff([]string{"", "2", "4"}, began); diff != "" {
		t.Errorf("streams of events began behind (-want +got):\n%s", diff)
	}
	if got := p.run(t, `
		const abort = new AbortController();
		const answer = fetch("/waits", {signal: abort.signal}).catch(e => e.name);
		setTimeout(() => abort.abort(), 100);
		return answer`); got != "AbortError" {
		t.Errorf("what was aborted is %s", got)
	}
	select {
	case <-app.left:
	case <-time.After(patience):
		t.Error("the backend never learns that the browser has left")
	}
}
