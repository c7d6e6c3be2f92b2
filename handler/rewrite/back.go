package rewrite

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"spangate/handler"
)

// back maps what a backend says of its own places to what clients call them. Paths below
// backend become ones below client; all others stay.
type back struct {
	client, backend string // prefixes of whole segments, as they are sent; "" for all paths

	asked, served string // the path that was asked for, as the client and as the backend see it
	scheme, host  string // of the client's request
	backendScheme string
	backendHosts  [2]string // the backend's authority, and the one that it was told
}

// newBack returns how the answer resp to out is mapped back, of which path is what the
// backend was asked for, without what its URL begins with.
func newBack(p *Path, v *Values, path string, out *http.Request, resp *http.Response) back {
	sent := out
	if resp.Request != nil {
		sent = resp.Request // of the attempt that was answered
	}
	client := handler.ClientOf(v.request)
	b := back{asked: v.path, served: sent.URL.EscapedPath(), scheme: client.Scheme, host: client.Host,
		backendScheme: sent.URL.Scheme, backendHosts: [2]string{sent.URL.Host, sent.Host}}
	base, _ := strings.CutSuffix(b.served, path) // what the backend's URL begins with
	if p.Rewrite.IsZero() {
		b.client, b.backend = string(p.Strip), base+string(p.AddPrefix)
	} else {
		b.client, b.backend = differing(v.path, path)
		b.backend = base + b.backend
	}
	return b
}

// differing returns what is left of two paths without the segments that they have in
// common at their end.
func differing(a, b string) (restA, restB string) {
	for {
		i, j := strings.LastIndexByte(a, '/'), strings.LastIndexByte(b, '/')
		if i < 0 || j < 0 || a[i:] != b[j:] {
			return a, b
		}
		a, b = a[:i], b[:j]
	}
}

// answer maps the fields of an answer's header.
func (b *back) answer(header http.Header) {
	for _, name := range []string{"Location", "Content-Location"} {
		if lines := header[name]; len(lines) == 1 {
			if mapped := b.reference(lines[0]); mapped != lines[0] {
				header[name] = []string{mapped}
			}
		}
	}
	if lines := header["Refresh"]; len(lines) == 1 {
		if mapped := b.refresh(lines[0]); mapped != lines[0] {
			header["Refresh"] = []string{mapped}
		}
	}
	if lines := header["Set-Cookie"]; lines != nil {
		mapped := make([]string, len(lines))
		for i, line := range lines {
			mapped[i] = b.cookie(line)
		}
		header["Set-Cookie"] = mapped
	}
}

// path maps an absolute path, and reports whether it is below what is mapped. One that is
// below the client's prefix already, and no less than below the backend's, stays: a
// backend that minds X-Forwarded-Prefix has said it.
func (b *back) path(path string) (mapped string, ok bool) {
	rest, ok := below(path, b.backend)
	if !ok {
		return path, false
	}
	if _, already := below(path, b.client); already && len(b.client) > len(b.backend) {
		return path, false
	}
	if b.client == b.backend {
		return path, true
	}
	return rooted(b.client + rest), true
}

// below returns what follows prefix in path, whole segments.
func below(path, prefix string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
		return rest, true
	}
	return "", false
}

// reference maps a reference to a URL, of RFC 3986 §4.1.
func (b *back) reference(text string) string {
	before, rest := authorityOf(text)
	if before == "" && !strings.HasPrefix(text, "/") {
		return b.relative(text)
	}
	path, behind := cutPath(rest)
	switch {
	case before == "":
		mapped, _ := b.path(path)
		return mapped + behind
	case path == "":
		path = "/"
	}
	scheme, authority, _ := strings.Cut(before, "//")
	mapped, ok := b.path(path)
	scheme = strings.ToLower(strings.TrimSuffix(scheme, ":"))
	switch {
	case !ok || scheme != "" && scheme != "http" && scheme != "https":
		return text
	case sameAuthority(authority, scheme, b.host, b.scheme):
		return before + mapped + behind
	case b.host != "" && b.ofBackend(authority, scheme):
		return b.scheme + "://" + b.host + mapped + behind
	}
	return text
}

// ofBackend reports whether the backend may call itself by an authority: by its own, by the
// one that it was told, or by the host that the client asked with the port that the backend
// listens on, as servers do that believe Host, and know their port better.
func (b *back) ofBackend(authority, scheme string) bool {
	asked := url.URL{Host: b.host}
	own := url.URL{Host: b.backendHosts[0]}
	echoed := asked.Hostname()
	if strings.Contains(echoed, ":") {
		echoed = "[" + echoed + "]"
	}
	if port := own.Port(); port != "" {
		echoed += ":" + port
	}
	return sameAuthority(authority, scheme, b.backendHosts[0], b.backendScheme) ||
		sameAuthority(authority, scheme, b.backendHosts[1], b.backendScheme) ||
		sameAuthority(authority, scheme, echoed, b.backendScheme)
}

// authorityOf cuts a reference behind its authority. before is empty where it has none.
func authorityOf(text string) (before, rest string) {
	at := strings.Index(text, "//")
	if at < 0 || at > 0 && (text[at-1] != ':' || strings.ContainsAny(text[:at-1], "/?#")) {
		return "", text
	}
	end := len(text)
	if i := strings.IndexAny(text[at+2:], "/?#"); i >= 0 {
		end = at + 2 + i
	}
	return text[:end], text[end:]
}

// cutPath cuts a reference without authority where its path ends.
func cutPath(text string) (path, behind string) {
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// sameAuthority reports whether two authorities are the same. A scheme that is not said
// is the other's.
func sameAuthority(a, schemeA, b, schemeB string) bool {
	if schemeA == "" {
		schemeA = schemeB
	}
	return b != "" && strings.EqualFold(withoutUsualPort(a, schemeA), withoutUsualPort(b, schemeB))
}

func withoutUsualPort(authority, scheme string) string {
	usual := ":80"
	if scheme == "https" {
		usual = ":443"
	}
	return strings.TrimSuffix(authority, usual)
}

// relative maps a reference whose path is relative to that of the request. It stays where
// it leads to the right place by itself, as it mostly does.
func (b *back) relative(text string) string {
	path, behind := cutPath(text)
	if path == "" || strings.Contains(path, ":") {
		return text
	}
	mapped, ok := b.path(resolve(b.served, path))
	if !ok || mapped == resolve(b.asked, path) {
		return text
	}
	return mapped + behind
}

// resolve returns where a relative path leads to from another one.
func resolve(from, path string) string {
	base, err := url.Parse(from)
	if err != nil {
		return path
	}
	reference, err := url.Parse(path)
	if err != nil {
		return path
	}
	return base.ResolveReference(reference).EscapedPath()
}

// refresh maps the URL of a Refresh field: 5; url=/there.
func (b *back) refresh(text string) string {
	seconds, behind, ok := strings.Cut(text, ";")
	if !ok {
		seconds, behind, ok = strings.Cut(text, ",")
	}
	name, target, hasTarget := strings.Cut(behind, "=")
	if !ok || !hasTarget || !strings.EqualFold(strings.TrimSpace(name), "url") {
		return text
	}
	target = strings.TrimSpace(target)
	quote := ""
	if len(target) > 1 && (target[0] == '"' || target[0] == '\'') && target[len(target)-1] == target[0] {
		quote, target = target[:1], target[1:len(target)-1]
	}
	mapped := b.reference(target)
	if mapped == target {
		return text
	}
	return seconds + "; url=" + quote + mapped + quote
}

// cookie maps path and domain of a cookie that is set. A domain that is the backend's is
// left out: the cookie is then for the host that the client asked alone. A cookie whose
// name promises that it is for all paths stays so, or browsers would not take it.
func (b *back) cookie(text string) string {
	parts := strings.Split(text, ";")
	changed, kept := false, parts[:1]
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Path") && strings.HasPrefix(value, "/") && !isForHost(text):
			mapped, _ := b.path(value)
			if mapped == b.client+"/" && b.client != "" {
				mapped = b.client // or it would not be for the prefix itself
			}
			if mapped != value {
				part, changed = part[:strings.IndexByte(part, '=')+1]+mapped, true
			}
		case strings.EqualFold(name, "Domain") && b.isBackends(strings.TrimPrefix(value, ".")):
			changed = true
			continue
		}
		kept = append(kept, part)
	}
	if !changed {
		return text
	}
	return strings.Join(kept, ";")
}

// isForHost reports whether a cookie's name says that its path is / (RFC 6265bis
// §4.1.3.2).
func isForHost(cookie string) bool {
	const prefix = "__Host-"
	return len(cookie) >= len(prefix) && strings.EqualFold(cookie[:len(prefix)], prefix)
}

// isBackends reports whether domain is the backend's, and not the one that the client
// asked.
func (b *back) isBackends(domain string) bool {
	if domain == "" || strings.EqualFold(domain, hostname(b.host)) {
		return false
	}
	return strings.EqualFold(domain, hostname(b.backendHosts[0])) || strings.EqualFold(domain, hostname(b.backendHosts[1]))
}

func hostname(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}
