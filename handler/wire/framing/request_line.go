package framing

import "bytes"

// checkRequestLine returns what is wrong with a request's first line (RFC 9112
// §3) for which net/http refuses it without a word. Whether its target is one
// for this server is asked later.
func checkRequestLine(line []byte) error {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, found := bytes.Cut(rest, []byte(" "))
	switch {
	case !found:
		return malformed("request line %.40q, which is not a method, a target and a version", line)
	case !isToken(method):
		return malformed("method %.40q", method)
	case !isVersion(version):
		return malformed("version %.40q", version)
	case string(method) == "CONNECT":
		return nil // its target is an authority
	}
	return checkTarget(target)
}

func isVersion(v []byte) bool {
	return len(v) == len("HTTP/1.1") && bytes.HasPrefix(v, []byte("HTTP/")) && isDigit(v[5]) && v[6] == '.' && isDigit(v[7])
}

func checkTarget(target []byte) error {
	for i, c := range target {
		if c < ' ' || c == 0x7f {
			return malformed("target %.40q with a control character", target[i:])
		}
	}
	if string(target) == "*" {
		return nil
	}
	if len(target) == 0 || target[0] != '/' && !hasScheme(target) {
		return malformed("target %.40q, which is no path, no URL and not *", target)
	}
	path, _, _ := bytes.Cut(target, []byte("?"))
	for {
		at := bytes.IndexByte(path, '%')
		if at < 0 {
			return nil
		}
		if path = path[at+1:]; len(path) < 2 || !isHex(path[0]) || !isHex(path[1]) {
			return malformed("target with %%%.2s, which encodes nothing", bytes.ToValidUTF8(path, []byte("?")))
		}
	}
}

// hasScheme reports whether target begins with a scheme, RFC 3986 §3.1.
func hasScheme(target []byte) bool {
	scheme, _, found := bytes.Cut(target, []byte(":"))
	return found && len(scheme) > 0 && isLetter(scheme[0]) && !bytes.ContainsFunc(scheme, func(c rune) bool {
		return c > 0x7f || !isLetter(byte(c)) && !isDigit(byte(c)) && c != '+' && c != '-' && c != '.'
	})
}

// isToken reports whether s is a token, RFC 9110 §5.6.2, as methods and names of
// fields are.
func isToken(s []byte) bool {
	for _, c := range s {
		if !inToken[c] {
			return false
		}
	}
	return len(s) > 0
}

var inToken = func() (set [256]bool) {
	for c := range byte(0x7f) {
		set[c] = isLetter(c) || isDigit(c) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
	}
	return set
}()

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
